//! The workload's side: ask a witgate socket who we are.
//!
//! ```no_run
//! # fn main() -> Result<(), witgate_client::ClientError> {
//! let answer = witgate_client::Client::from_env().attest()?;
//! println!("I am {} until {}", answer.identity, answer.expires_at);
//! # Ok(())
//! # }
//! ```
//!
//! The answer is about the process that opens the connection: call this from the workload itself.
//! A helper program, a proxy or a shell would be told about itself; `you` in every answer says
//! which program that was.
//!
//! A process that acts for others, such as a node's agent, can pass a descriptor and ask who is behind it,
//! on a socket of its own: [`Client::attest_for`].
//!
//! [`Client`] blocks and needs no runtime; [`AsyncClient`] (feature `async`, on by default) is the
//! same on tokio. Both open one connection to a question, as the line protocol has it, read at most
//! [`limits::MAX_ANSWER`](witgate_protocol::limits::MAX_ANSWER) bytes and stop at a deadline.

#[cfg(feature = "async")]
mod asynchronous;
mod blocking;
mod error;
#[cfg(test)]
mod fuzz;
mod line;
mod locate;
mod pass;

#[cfg(feature = "async")]
pub use self::asynchronous::{AsyncClient, AsyncWatch};
pub use self::{
    blocking::{Client, Watch},
    error::{ClientError, Tried},
    locate::{
        BROKER_SOCKET, PUBLIC_SOCKET, SOCKET_VARIABLE, SYSTEM_BROKER_SOCKET, SYSTEM_SOCKET, Sockets,
    },
};
pub use witgate_protocol as protocol;
