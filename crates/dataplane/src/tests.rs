//! Calls in paused time, against a scripted upstream: see
//! `docs/how-to/test-with-time.md`.

mod books;
mod harness;
mod script;

mod aborts;
mod admission;
mod alarms;
mod breakers;
mod caching;
mod continuation;
mod deadlines;
mod drains;
mod failover;
mod hedging;
mod keep_alive;
mod keys;
mod labels;
mod leaving;
mod limits;
mod metering;
mod pictures;
mod progress;
mod records;
mod replies;
mod rows;
mod single_flight;
mod sizes;
mod stickiness;
mod stopping;
mod tiers;
mod told_costs;
mod whole;
mod written;
