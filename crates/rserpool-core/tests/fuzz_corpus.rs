//! What fuzzing the registrar has found worth keeping, replayed: nothing panics, outputs stay few
//! and readable, time gets on.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod fuzz_script;
mod support;

use rserpool_wire::RegistrarId;
use rserpool_wire::enrp::{
    HandleTable, HandleTableRequest, HandleTableResponse, HandleUpdate, InitTakeover,
    InitTakeoverAck, ListRequest, ListResponse, Message, PoolEntry, Presence, Rejected,
    TakeoverServer, UpdateAction,
};
use rserpool_wire::parameter::{
    EncapsulationPorts, EncodedPoolElement, PeChecksum, SctpTransport, ServerInformation,
    TransportUse,
};
use std::path::Path;

#[test]
fn registrar() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/registrar");
    let files = std::fs::read_dir(&directory)
        .unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let mut replayed = 0;
    for file in files {
        let script = std::fs::read(file.expect("listed").path()).expect("readable");
        fuzz_script::run(&script);
        replayed += 1;
    }
    assert!(replayed > 20, "the corpus is gone: {replayed} files");
}

/// Whole ENRP messages of a few registrars, this one's identifier among them, in any order.
#[test]
fn enrp_in_any_order() {
    for seed in 1..=400 {
        let mut random = Random(seed);
        let mut script = Vec::new();
        for _ in 0..120 {
            random.step(&mut script);
        }
        fuzz_script::run(&script);
    }
}

struct Random(u64);

impl Random {
    fn below(&mut self, bound: u8) -> u8 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        u8::try_from((self.0 >> 33) % u64::from(bound)).expect("below an octet")
    }

    fn step(&mut self, script: &mut Vec<u8>) {
        let operation =
            [0, 0, 2, 5, 7, 7, 7, 7, 7, 7, 7, 7, 8, 9, 9, 10][usize::from(self.below(16))];
        let octets = match operation {
            7 | 8 => self.message().encode(),
            _ => Vec::new(),
        };
        let octets = if octets.len() > 255 {
            Vec::new()
        } else {
            octets
        };
        let delay = if operation == 5 { self.below(8) } else { 0 };
        let length = u8::try_from(octets.len()).expect("short");
        script.extend([operation, self.below(8), delay, length]);
        script.extend(octets);
    }

    fn id(&mut self) -> RegistrarId {
        let number = match self.below(6) {
            0 => 0x0b0b_0b0b,
            5 => 0x7f00_0000,
            other => u32::from(other),
        };
        RegistrarId::new(number).expect("not zero")
    }

    fn information(&mut self, registrar: RegistrarId) -> ServerInformation {
        ServerInformation {
            registrar,
            transport: SctpTransport {
                port: 5000,
                transport_use: TransportUse::DATA_ONLY,
                addresses: vec![[10, 1, 0, self.below(4)].into()],
            },
            encapsulation_ports: EncapsulationPorts::default(),
        }
    }

    fn entry(&mut self, home: RegistrarId) -> (EncodedPoolElement, PoolEntry) {
        let number = self.below(4);
        let mut element = support::recorded(support::element_on(number, u32::from(number)), number);
        element.home_registrar = Some(home);
        let encoded = EncodedPoolElement::from(&element);
        let entry = PoolEntry {
            pool_handle: support::echo(),
            pool_elements: vec![encoded.clone()],
        };
        (encoded, entry)
    }

    fn table(&mut self, sender: RegistrarId, home: RegistrarId, more_to_send: bool) -> Message {
        let result = if self.below(4) == 0 {
            Err(Rejected)
        } else {
            Ok(HandleTable {
                more_to_send,
                pool_entries: vec![self.entry(home).1],
            })
        };
        HandleTableResponse {
            sender,
            receiver: None,
            result,
        }
        .into()
    }

    fn update(&mut self, sender: RegistrarId) -> Message {
        let action = if self.below(4) == 0 {
            UpdateAction::Delete
        } else {
            UpdateAction::Add
        };
        HandleUpdate {
            sender,
            receiver: None,
            action,
            pool_handle: support::echo(),
            pool_element: self.entry(sender).0,
        }
        .into()
    }

    fn message(&mut self) -> Message {
        let (sender, target) = (self.id(), self.id());
        let receiver = None;
        let flag = self.below(2) == 0;
        match self.below(10) {
            0 | 1 => Presence {
                sender,
                receiver,
                reply_required: flag,
                checksum: Some(PeChecksum(0xffff)),
                server_information: flag.then(|| self.information(sender)),
            }
            .into(),
            2 => HandleTableRequest {
                sender,
                receiver,
                own_children_only: flag,
            }
            .into(),
            3 => self.table(sender, target, flag),
            4 => self.update(sender),
            5 => ListRequest { sender, receiver }.into(),
            6 => ListResponse {
                sender,
                receiver,
                result: if flag {
                    Ok(vec![self.information(target)])
                } else {
                    Err(Rejected)
                },
            }
            .into(),
            7 => InitTakeover {
                sender,
                receiver,
                target,
            }
            .into(),
            8 => InitTakeoverAck {
                sender,
                receiver,
                target,
            }
            .into(),
            _ => TakeoverServer {
                sender,
                receiver,
                target,
            }
            .into(),
        }
    }
}
