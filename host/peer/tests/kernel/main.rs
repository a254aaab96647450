//! The real kernel, real sockets, real processes.

mod cgroups;
mod facts;
mod scene;
mod who;
