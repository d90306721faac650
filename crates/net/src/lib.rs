//! TLS, DNS, connection pools, egress rules.
