//! Which targets, in what order, and when to stop trying.
