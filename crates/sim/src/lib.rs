//! Simulated providers, fault scripts and load.
