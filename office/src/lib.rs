//! The hub: the other end of every cabinet.
