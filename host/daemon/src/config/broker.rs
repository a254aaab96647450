//! `[listen.broker]`: who may ask about others, and where.

use super::{
    ConfigError, Layout, ListenConfig, Place, Roles,
    sections::{PartialListen, over},
    table::Table,
};

/// Mode of the socket of brokers: who may ask is said by `uids` and `gids`, which are checked whatever
/// the mode is; those need not be of the daemon's own group.
const MODE: u32 = 0o666;

/// Users and groups in the two lists together; a machine has a handful of brokers.
const MOST: usize = 256;

/// The socket of brokers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokerConfig {
    /// Where it is.
    pub listen: ListenConfig,
    /// Who may ask. Nobody else may, root included.
    pub callers: Roles,
}

/// What one file says of it.
#[derive(Debug, Default)]
pub(super) struct PartialBroker {
    /// Where it was said first, so that there is to be one.
    place: Option<Place>,
    listen: PartialListen,
    uids: Option<Vec<u32>>,
    gids: Option<Vec<u32>>,
    /// There is a mistake in the lists already.
    misfits: bool,
}

impl PartialBroker {
    pub(super) fn read(table: &mut Table<'_>) -> Self {
        Self {
            place: Some(table.place("")),
            listen: PartialListen::read(table),
            uids: table.take("uids"),
            gids: table.take("gids"),
            misfits: table.misfits("uids") || table.misfits("gids"),
        }
    }

    pub(super) fn overlay(&mut self, later: Self) {
        over(&mut self.place, later.place);
        self.listen.overlay(later.listen);
        over(&mut self.uids, later.uids);
        over(&mut self.gids, later.gids);
        self.misfits |= later.misfits;
    }

    /// None if nothing is said of it.
    pub(super) fn complete(
        self,
        layout: &Layout,
        errors: &mut Vec<ConfigError>,
    ) -> Option<BrokerConfig> {
        let place = self.place?;
        let callers =
            Roles { uids: self.uids.unwrap_or_default(), gids: self.gids.unwrap_or_default() };
        let wrong = match callers.uids.len() + callers.gids.len() {
            0 if !self.misfits => Some("nobody could ask; name who may in uids or gids".to_owned()),
            0..=MOST => None,
            many => Some(format!("{many} uids and gids are listed, {MOST} can be")),
        };
        errors.extend(wrong.map(|message| place.error("listen.broker", message)));
        let listen = self.listen.complete(&layout.broker_socket, MODE);
        Some(BrokerConfig { listen, callers })
    }
}
