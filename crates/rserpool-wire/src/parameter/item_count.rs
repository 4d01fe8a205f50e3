//! Item Count parameter (draft-dreibholz-rserpool-asap-hropt): how many pool elements a handle
//! resolution should give. The type's highest bits are 10: a registrar that does not know it skips
//! it and lists as many as it likes.
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! ┌───────────────────────────────┬───────────────────────────────┐
//! │         Type = 0x803f         │           Length = 8          │
//! ├───────────────────────────────┴───────────────────────────────┤
//! │                             Items                             │
//! └───────────────────────────────────────────────────────────────┘
//! ```
//!
//! Zero items mean the registrar's own choice, as if the parameter were not there.

use super::ParameterType;
use crate::error::Fault;
use crate::reader::Parameter;
use crate::writer::{Sink, Writer};

pub(crate) fn read<'a>(parameter: &Parameter<'a>) -> Result<Option<u32>, Fault<'a>> {
    let mut value = parameter.value();
    let items = value.u32()?;
    value.end()?;
    Ok((items != 0).then_some(items))
}

pub(crate) fn write<S: Sink>(items: Option<u32>, writer: &mut Writer<'_, S>) {
    if let Some(items) = items.filter(|items| *items != 0) {
        writer.parameter(ParameterType::ITEM_COUNT, |w| w.u32(items));
    }
}
