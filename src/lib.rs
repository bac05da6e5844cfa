//! The daemon of one self-service document locker.
