//! Models, endpoints, prices and capabilities, as immutable snapshots.
