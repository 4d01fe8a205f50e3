//! The policies that rsplib has beyond RFC 5356: combinations of random selection, priority and
//! degradation, and those with a distance penalty factor (DPF). Their types are for private use
//! (RFC 5356 §7.1), their parameters those that rsplib sends.
//!
//! The distance in a parameter is the one that the home registrar measured; it is taken as it
//! comes. rsplib's Priority Least Used with DPF has no parameter, and so does not exist here.

use super::least_used_with_degradation::LeastUsedWithDegradation;
use super::lottery::{DegradingLottery, Lottery};
use super::sorted::Sorted;
use super::{MemberSelection, Standard, UserRule};
use alloc::boxed::Box;
use rserpool_wire::parameter::{Policy, PolicyType};

/// All of them.
pub(super) const RSPLIB: [Standard; 7] = [
    (PolicyType(0xb000_1001), rplu, UserRule::AtRandom),
    (PolicyType(0xb000_1002), rlud, UserRule::AtRandom),
    (PolicyType(0xb000_1003), plud, UserRule::InOrder),
    (PolicyType(0xb000_1004), rplud, UserRule::AtRandom),
    (PolicyType(0xb000_2001), wrand_dpf, UserRule::AtRandom),
    (PolicyType(0xb000_2002), lu_dpf, UserRule::InOrder),
    (PolicyType(0xb000_2003), lud_dpf, UserRule::InOrder),
];

/// Randomized Priority Least Used: as likely as it is free after one more request.
fn rplu() -> Box<dyn MemberSelection> {
    Box::new(Lottery::new(|policy| unload(loaded_once(policy))))
}

/// Randomized Least Used with Degradation: as likely as it is free, counting what it was given.
fn rlud() -> Box<dyn MemberSelection> {
    Box::new(DegradingLottery::new(|policy| {
        let [load, degradation] = fields(policy);
        (unload(load.into()), degradation)
    }))
}

/// Priority Least Used with Degradation: the lowest load after one more request first, counting
/// what each was given.
fn plud() -> Box<dyn MemberSelection> {
    Box::new(LeastUsedWithDegradation::new(|policy| {
        let [_, degradation] = fields(policy);
        (loaded_once(policy), degradation)
    }))
}

/// Randomized Priority Least Used with Degradation.
fn rplud() -> Box<dyn MemberSelection> {
    Box::new(DegradingLottery::new(|policy| {
        let [_, degradation] = fields(policy);
        (unload(loaded_once(policy)), degradation)
    }))
}

/// Weighted Random with DPF: the weight is the less the farther away.
fn wrand_dpf() -> Box<dyn MemberSelection> {
    Box::new(Lottery::new(|policy| {
        let [weight, factor, distance] = fields(policy);
        let loss = u128::from(weight) * u128::from(factor) * u128::from(distance);
        match u32::try_from(loss / u128::from(u32::MAX)) {
            Ok(loss) if loss <= weight => weight - loss,
            Ok(_) | Err(_) => 1,
        }
    }))
}

/// Least Used with DPF: the load is the more the farther away.
fn lu_dpf() -> Box<dyn MemberSelection> {
    Box::new(Sorted::new(|policy| {
        let [load, factor, distance] = fields(policy);
        penalized(load, factor, distance)
    }))
}

/// Least Used with Degradation and DPF.
fn lud_dpf() -> Box<dyn MemberSelection> {
    Box::new(LeastUsedWithDegradation::new(|policy| {
        let [load, degradation, factor, distance] = fields(policy);
        (penalized(load, factor, distance), degradation)
    }))
}

/// The fields of a parameter. One of another length says nothing: fully loaded, and far away.
fn fields<const N: usize>(policy: &Policy) -> [u32; N] {
    let mut fields = [u32::MAX; N];
    if let Policy::Other { data, .. } = policy
        && data.len() == N * 4
    {
        for (field, octets) in fields.iter_mut().zip(data.as_chunks().0) {
            *field = u32::from_be_bytes(*octets);
        }
    }
    fields
}

fn loaded_once(policy: &Policy) -> u64 {
    let [load, degradation] = fields(policy);
    u64::from(load) + u64::from(degradation)
}

/// How free it is; even the fully loaded is selected now and then.
fn unload(load: u64) -> u32 {
    u32::try_from(u64::from(u32::MAX).saturating_sub(load)).map_or(1, |unload| unload.max(1))
}

fn penalized(load: u32, factor: u32, distance: u32) -> u64 {
    let penalty = u64::from(factor) * u64::from(distance);
    penalty.saturating_add(load.into()).min(u32::MAX.into())
}
