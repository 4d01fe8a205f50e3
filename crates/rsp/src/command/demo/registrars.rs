//! What the demo knows of its registrars: who owns what, who thinks what of whom, and what the
//! death and the return of one of them came to.

use super::model::{Condition, Moment};
use crate::management::schema::{Peer, Status};
use std::time::Duration;

/// All registrars, by their number.
#[derive(Default)]
pub(super) struct Registrars {
    pub(super) all: Vec<Registrar>,
    pub(super) faults: Vec<RegistrarFault>,
}

/// A registrar that the demo started.
pub(super) struct Registrar {
    pub(super) id: String,
    /// As `--registrar` takes it.
    pub(super) reached_at: String,
    /// As `--peer` takes it.
    pub(super) as_peer: String,
    pub(super) condition: Condition,
    /// What it said of itself last.
    pub(super) status: Option<Status>,
}

/// A registrar that was killed.
pub(super) struct RegistrarFault {
    /// Its number.
    index: usize,
    pub(super) registrar: String,
    pub(super) at: Moment,
    /// How many pool elements it was the home of.
    pub(super) owned: usize,
    /// The first of the others does not take it to be active any longer.
    pub(super) noticed: Option<Duration>,
    /// Nobody names it as anybody's home any longer.
    pub(super) rehomed: Option<Duration>,
    /// It was started again.
    pub(super) returned_at: Option<Moment>,
    /// How long after that it had the pools.
    pub(super) initialized: Option<Duration>,
    /// How long after that all registrars agreed.
    pub(super) agreed: Option<Duration>,
}

impl Registrars {
    /// A registrar serves: a new one, or one that was killed is back.
    pub(super) fn serves(&mut self, index: usize, registrar: Registrar, now: Moment) {
        let returned = self.faults.iter_mut().filter(|fault| fault.index == index);
        for fault in returned {
            fault.returned_at.get_or_insert(now);
        }
        match self.all.get_mut(index) {
            Some(known) => *known = registrar,
            None => self.all.push(registrar),
        }
    }

    /// A registrar has the pools of the others.
    pub(super) fn initialized(&mut self, index: usize, now: Moment) {
        let returned = self.faults.iter_mut().filter(|fault| fault.index == index);
        for fault in returned {
            if let Some(at) = fault.returned_at {
                fault.initialized.get_or_insert(now.saturating_sub(at));
            }
        }
    }

    /// A registrar is being killed.
    pub(super) fn killed(&mut self, index: usize, now: Moment) {
        let registrar = &mut self.all[index];
        registrar.condition = Condition::Killed;
        self.faults.push(RegistrarFault {
            index,
            registrar: registrar.id.clone(),
            at: now,
            owned: registrar.owned(),
            noticed: None,
            rehomed: None,
            returned_at: None,
            initialized: None,
            agreed: None,
        });
    }

    /// What a registrar says of itself; what is new in it, in words.
    pub(super) fn says(&mut self, index: usize, status: Status, now: Moment) -> Vec<String> {
        let Some(registrar) = self.all.get_mut(index) else {
            return Vec::new();
        };
        // A late answer of one that is gone says nothing about who is there now.
        if registrar.condition != Condition::Running || registrar.id != status.registrar {
            return Vec::new();
        }
        let news = registrar.news(&status);
        registrar.status = Some(status);
        self.measure(now);
        news
    }

    fn measure(&mut self, now: Moment) {
        let agree = self.agree();
        for fault in &mut self.faults {
            let running = self
                .all
                .iter()
                .filter(|registrar| registrar.condition == Condition::Running);
            let statuses: Vec<&Status> = running
                .filter_map(|registrar| registrar.status.as_ref())
                .collect();
            if statuses
                .iter()
                .any(|status| !takes_to_be_active(status, &fault.registrar))
            {
                fault.noticed.get_or_insert(now.saturating_sub(fault.at));
            }
            if !statuses
                .iter()
                .any(|status| is_a_home(status, &fault.registrar))
            {
                fault.rehomed.get_or_insert(now.saturating_sub(fault.at));
            }
            if let Some(at) = fault.returned_at.filter(|_| agree) {
                fault.agreed.get_or_insert(now.saturating_sub(at));
            }
        }
    }

    /// The running registrar that is the home of most pool elements.
    pub(super) fn busiest(&self) -> Option<usize> {
        let running = self
            .all
            .iter()
            .enumerate()
            .filter(|(_, registrar)| registrar.condition == Condition::Running);
        running
            .max_by_key(|(index, registrar)| (registrar.owned(), std::cmp::Reverse(*index)))
            .map(|(index, _)| index)
    }

    /// The addresses of all, for clients.
    pub(super) fn reached_at(&self) -> Vec<String> {
        let addresses = self
            .all
            .iter()
            .map(|registrar| registrar.reached_at.clone());
        addresses.collect()
    }

    /// The addresses of all but one, for that one.
    pub(super) fn peers_of(&self, index: usize) -> Vec<String> {
        let others = self
            .all
            .iter()
            .enumerate()
            .filter(|(other, _)| *other != index);
        others
            .map(|(_, registrar)| registrar.as_peer.clone())
            .collect()
    }

    /// Whether all that run know each other, and have the same checksums of each other.
    pub(super) fn agree(&self) -> bool {
        let running: Vec<&Registrar> = self
            .all
            .iter()
            .filter(|registrar| registrar.condition == Condition::Running)
            .collect();
        running.iter().all(|registrar| {
            let others = running.iter().filter(|other| other.id != registrar.id);
            let Some(status) = &registrar.status else {
                return false;
            };
            status.initialized && others.into_iter().all(|other| is_agreed(status, &other.id))
        })
    }
}

impl Registrar {
    /// How many pool elements it is the home of.
    pub(super) fn owned(&self) -> usize {
        self.status.as_ref().map_or(0, |status| status.owned)
    }

    /// What another status says that the last one did not.
    fn news(&self, status: &Status) -> Vec<String> {
        let id = &self.id;
        let mut news = Vec::new();
        let before = self.status.as_ref();
        if status.owned != self.owned() {
            news.push(format!(
                "registrar {id} is the home of {} elements",
                status.owned
            ));
        }
        for peer in &status.peers {
            let Some(registrar) = &peer.registrar else {
                continue;
            };
            let was = before.and_then(|before| peer_of(before, registrar));
            if was.is_none_or(|was| was.status != peer.status) {
                news.push(format!("registrar {id}: {registrar} is {}", peer.status));
            }
        }
        news
    }
}

fn peer_of<'a>(status: &'a Status, id: &str) -> Option<&'a Peer> {
    let mut peers = status.peers.iter();
    peers.find(|peer| peer.registrar.as_deref() == Some(id))
}

fn takes_to_be_active(status: &Status, id: &str) -> bool {
    status.registrar == id || peer_of(status, id).is_some_and(|peer| peer.status == "active")
}

fn is_agreed(status: &Status, id: &str) -> bool {
    peer_of(status, id)
        .is_some_and(|peer| peer.status == "active" && peer.checksums_equal == Some(true))
}

fn is_a_home(status: &Status, id: &str) -> bool {
    let mut elements = status.pools.iter().flat_map(|pool| &pool.pool_elements);
    elements.any(|element| element.home.as_deref() == Some(id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn registrar(id: &str) -> Registrar {
        Registrar {
            id: id.to_owned(),
            reached_at: format!("at {id}"),
            as_peer: format!("peer {id}"),
            condition: Condition::Running,
            status: None,
        }
    }

    /// A status in which `homes` are the homes of one pool element each.
    fn status(id: &str, homes: &[&str], peer: (&str, &str, bool)) -> Status {
        let (peer, peer_status, equal) = peer;
        let owned = homes.iter().filter(|home| **home == id).count();
        let element = |home: &&str| {
            json!({"id": "e", "home": home, "policy": "rr", "last_heard_ms": 0,
                "keep_alive_outstanding": false, "reporters": 0})
        };
        let elements: Vec<_> = homes.iter().map(element).collect();
        let status = json!({
            "schema": 1, "version": "", "registrar": id, "uptime_ms": 0, "reached_at": [],
            "associations": 0, "subscriptions": 0, "registrars_heard": [],
            "shutting_down": false, "initialized": true, "owned": owned, "checksum": "",
            "counters": {},
            "peers": [{"registrar": peer, "address": null, "static": false,
                "status": peer_status, "association": null, "last_heard_ms": null, "owned": 0,
                "checksum": "", "checksum_told": "", "checksums_equal": equal,
                "synchronizing": false}],
            "pools": [{"pool_handle": "p", "policy": "rr", "subscribers": 0,
                "pool_elements": elements}],
        });
        serde_json::from_value(status).unwrap()
    }

    fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    #[test]
    fn the_death_and_return_of_a_registrar_are_measured() {
        let mut registrars = Registrars::default();
        registrars.serves(0, registrar("a"), ms(0));
        registrars.serves(1, registrar("b"), ms(0));
        registrars.says(
            0,
            status("a", &["a", "a", "b"], ("b", "active", true)),
            ms(1),
        );
        let news = registrars.says(
            1,
            status("b", &["a", "a", "b"], ("a", "active", true)),
            ms(1),
        );
        let expected = [
            "registrar b is the home of 1 elements",
            "registrar b: a is active",
        ];
        assert_eq!(news, expected);
        assert!(registrars.agree());
        assert_eq!(registrars.busiest(), Some(0));

        registrars.killed(0, ms(100));
        registrars.says(
            0,
            status("a", &["a", "a", "b"], ("b", "active", true)),
            ms(101),
        );
        registrars.says(
            1,
            status("b", &["a", "a", "b"], ("a", "suspected", true)),
            ms(110),
        );
        registrars.says(
            1,
            status("b", &["b", "b", "b"], ("a", "dead", true)),
            ms(150),
        );
        assert_eq!(registrars.peers_of(0), ["peer b"]);

        registrars.serves(0, registrar("c"), ms(200));
        registrars.initialized(0, ms(205));
        registrars.says(
            0,
            status("c", &["b", "b", "b"], ("b", "active", true)),
            ms(206),
        );
        registrars.says(
            1,
            status("b", &["b", "b", "b"], ("c", "active", false)),
            ms(207),
        );
        assert!(!registrars.agree());
        registrars.says(
            1,
            status("b", &["b", "b", "b"], ("c", "active", true)),
            ms(230),
        );

        let fault = &registrars.faults[0];
        assert_eq!((fault.owned, fault.at), (2, ms(100)));
        assert_eq!(fault.noticed, Some(ms(10)));
        assert_eq!(fault.rehomed, Some(ms(50)));
        assert_eq!(fault.returned_at, Some(ms(200)));
        assert_eq!(fault.initialized, Some(ms(5)));
        assert_eq!(fault.agreed, Some(ms(30)));
    }
}
