//! `--policy`: a pool policy and its values, as one word.

use rserpool_wire::parameter::{Policy, PolicyType};
use std::fmt;
use std::num::ParseIntError;

/// The syntax, for `--help`.
pub(crate) const HELP: &str = "\
The pool's policy and this pool element's values for it (RFC 5356):
  rr                  round robin
  wrr:WEIGHT          weighted round robin, as in wrr:2
  rand                random
  wrand:WEIGHT        weighted random
  prio:PRIORITY       the highest priority first
  lu:LOAD             least used; loads from 0 to 1, as in lu:0.3
  lud:LOAD:STEP       least used with degradation by STEP at each selection
  plu:LOAD:STEP       priority least used; STEP is what one more request adds
  rlu:LOAD            randomized least used
  0xTYPE[:HEX]        any other, with its octets, as in 0x80000001:00000005
All pool elements of a pool must name the same policy.";

/// Why a policy could not be read.
#[derive(PartialEq, Eq, Debug)]
pub(crate) enum PolicyError {
    /// No policy has this name.
    Unknown(String),
    /// The policy takes this many values.
    Values {
        name: String,
        needed: usize,
        given: usize,
    },
    /// A weight or priority that is no number of 32 bits.
    Number(String),
    /// A load that does not lie between 0 and 1.
    Load(String),
    /// Octets that are not pairs of hexadecimal digits.
    Hex(String),
}

impl std::error::Error for PolicyError {}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(name) => write!(
                f,
                "no policy `{name}`, only rr, wrr, rand, wrand, prio, lu, lud, plu, rlu and 0xTYPE"
            ),
            Self::Values {
                name,
                needed,
                given,
            } => {
                write!(
                    f,
                    "`{name}` takes {needed} value(s), not {given}; as in wrr:2 or lud:0.3:0.1"
                )
            }
            Self::Number(text) => write!(f, "`{text}` is not a number from 0 to {}", u32::MAX),
            Self::Load(text) => write!(f, "`{text}` is not a load from 0 to 1"),
            Self::Hex(text) => write!(f, "`{text}` is not pairs of hexadecimal digits"),
        }
    }
}

/// Reads a policy such as `wrr:2`.
pub(crate) fn parse(text: &str) -> Result<Policy, PolicyError> {
    let mut words = text.split(':');
    let name = words.next().unwrap_or_default();
    let values: Vec<&str> = words.collect();
    if let Some(number) = name.strip_prefix("0x") {
        return other(name, number, &values);
    }
    Ok(match name {
        "rr" => none(name, &values, Policy::RoundRobin)?,
        "rand" => none(name, &values, Policy::Random)?,
        "wrr" => Policy::WeightedRoundRobin {
            weight: one_number(name, &values)?,
        },
        "wrand" => Policy::WeightedRandom {
            weight: one_number(name, &values)?,
        },
        "prio" => Policy::Priority {
            priority: one_number(name, &values)?,
        },
        "lu" => Policy::LeastUsed {
            load: one_load(name, &values)?,
        },
        "rlu" => Policy::RandomizedLeastUsed {
            load: one_load(name, &values)?,
        },
        "lud" => {
            let (load, degradation) = two_loads(name, &values)?;
            Policy::LeastUsedWithDegradation { load, degradation }
        }
        "plu" => {
            let (load, degradation) = two_loads(name, &values)?;
            Policy::PriorityLeastUsed { load, degradation }
        }
        _ => return Err(PolicyError::Unknown(name.to_owned())),
    })
}

/// A policy as `parse` reads it, loads with two digits.
pub(crate) fn short(policy: &Policy) -> String {
    match policy {
        Policy::RoundRobin => "rr".into(),
        Policy::WeightedRoundRobin { weight } => format!("wrr:{weight}"),
        Policy::Random => "rand".into(),
        Policy::WeightedRandom { weight } => format!("wrand:{weight}"),
        Policy::Priority { priority } => format!("prio:{priority}"),
        Policy::LeastUsed { load } => format!("lu:{}", fraction(*load)),
        Policy::LeastUsedWithDegradation { load, degradation } => {
            format!("lud:{}:{}", fraction(*load), fraction(*degradation))
        }
        Policy::PriorityLeastUsed { load, degradation } => {
            format!("plu:{}:{}", fraction(*load), fraction(*degradation))
        }
        Policy::RandomizedLeastUsed { load } => format!("rlu:{}", fraction(*load)),
        Policy::Other {
            policy_type: PolicyType(number),
            data,
        } => {
            format!("{number:#010x}:{}", crate::hex::encode(data))
        }
    }
}

fn none(name: &str, values: &[&str], policy: Policy) -> Result<Policy, PolicyError> {
    let [] = exactly(name, values)?;
    Ok(policy)
}

fn one_number(name: &str, values: &[&str]) -> Result<u32, PolicyError> {
    let [text] = exactly(name, values)?;
    text.parse()
        .map_err(|_: ParseIntError| PolicyError::Number(text.to_owned()))
}

fn one_load(name: &str, values: &[&str]) -> Result<u32, PolicyError> {
    let [text] = exactly(name, values)?;
    load(text)
}

fn two_loads(name: &str, values: &[&str]) -> Result<(u32, u32), PolicyError> {
    let [first, second] = exactly(name, values)?;
    Ok((load(first)?, load(second)?))
}

fn exactly<'a, const N: usize>(
    name: &str,
    values: &[&'a str],
) -> Result<[&'a str; N], PolicyError> {
    values.try_into().map_err(|_| PolicyError::Values {
        name: name.to_owned(),
        needed: N,
        given: values.len(),
    })
}

/// A load as a fraction of 0xffffffff (RFC 5356 §3.1).
fn load(text: &str) -> Result<u32, PolicyError> {
    let fraction: f64 = text
        .parse()
        .map_err(|_| PolicyError::Load(text.to_owned()))?;
    if !(0.0..=1.0).contains(&fraction) {
        return Err(PolicyError::Load(text.to_owned()));
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the product lies between 0 and u32::MAX"
    )]
    Ok((fraction * f64::from(u32::MAX)).round() as u32)
}

fn fraction(load: u32) -> String {
    format!("{:.2}", f64::from(load) / f64::from(u32::MAX))
}

fn other(name: &str, number: &str, values: &[&str]) -> Result<Policy, PolicyError> {
    let number =
        u32::from_str_radix(number, 16).map_err(|_| PolicyError::Unknown(name.to_owned()))?;
    let data = match values {
        [] => Vec::new(),
        [hex] => crate::hex::decode(hex).ok_or_else(|| PolicyError::Hex((*hex).to_owned()))?,
        _ => {
            let (name, given) = (name.to_owned(), values.len());
            return Err(PolicyError::Values {
                name,
                needed: 1,
                given,
            });
        }
    };
    Ok(Policy::Other {
        policy_type: PolicyType(number),
        data: data.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_policy_is_read_and_written_the_same() {
        for text in [
            "rr",
            "wrr:2",
            "rand",
            "wrand:3",
            "prio:5",
            "lu:0.30",
            "lud:0.30:0.10",
            "plu:1.00:0.00",
            "rlu:0.50",
            "0x80000001:00000005",
        ] {
            assert_eq!(short(&parse(text).unwrap()), text);
        }
        assert_eq!(parse("lu:1"), Ok(Policy::LeastUsed { load: u32::MAX }));
        assert_eq!(parse("lu:0"), Ok(Policy::LeastUsed { load: 0 }));
    }

    #[test]
    fn what_is_wrong_is_said() {
        assert_eq!(
            parse("fastest"),
            Err(PolicyError::Unknown("fastest".into()))
        );
        let (name, needed) = ("wrr".to_owned(), 1);
        assert_eq!(
            parse("wrr"),
            Err(PolicyError::Values {
                name,
                needed,
                given: 0
            })
        );
        assert_eq!(parse("wrr:-1"), Err(PolicyError::Number("-1".into())));
        assert_eq!(parse("lu:1.01"), Err(PolicyError::Load("1.01".into())));
        assert_eq!(parse("lu:NaN"), Err(PolicyError::Load("NaN".into())));
        assert_eq!(parse("0x80000001:123"), Err(PolicyError::Hex("123".into())));
    }
}
