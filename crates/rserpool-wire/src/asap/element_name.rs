//! What five ASAP messages start with: a pool and one pool element of it.
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! ┌───────────────────────────────────────────────────────────────┐
//! ┊                          Pool Handle                          ┊
//! ├───────────────────────────────────────────────────────────────┤
//! ┊                         PE Identifier                         ┊
//! ├───────────────────────────────────────────────────────────────┤
//! ┊                Operation Error (in two of them)               ┊
//! └───────────────────────────────────────────────────────────────┘
//! ```

use crate::error::Fault;
use crate::parameter::{OperationError, ParameterType};
use crate::reader::Reader;
use crate::unrecognized::Unrecognized;
use crate::{PoolElementId, PoolHandle};

pub(super) struct ElementName {
    pub(super) pool_handle: PoolHandle,
    pub(super) pool_element: PoolElementId,
}

impl ElementName {
    pub(super) fn read<'a>(
        reader: &mut Reader<'a>,
        unrecognized: &mut Unrecognized,
    ) -> Result<Self, Fault<'a>> {
        Self::read_with_error(reader, unrecognized).map(|(name, _)| name)
    }

    pub(super) fn read_with_error<'a>(
        reader: &mut Reader<'a>,
        unrecognized: &mut Unrecognized,
    ) -> Result<(Self, Option<OperationError>), Fault<'a>> {
        let mut pool_handle = None;
        let mut pool_element = None;
        let mut error = None;
        while let Some(parameter) = reader.parameter()? {
            match parameter.kind {
                ParameterType::POOL_HANDLE if pool_handle.is_none() => {
                    pool_handle = Some(PoolHandle::read(&parameter)?);
                }
                ParameterType::PE_IDENTIFIER if pool_element.is_none() => {
                    pool_element = Some(PoolElementId::read(&parameter)?);
                }
                ParameterType::OPERATION_ERROR if error.is_none() => {
                    error = Some(OperationError::read(&parameter)?);
                }
                _ => unrecognized.parameter(&parameter)?,
            }
        }
        let name = Self {
            pool_handle: reader.required(pool_handle, ParameterType::POOL_HANDLE)?,
            pool_element: reader.required(pool_element, ParameterType::PE_IDENTIFIER)?,
        };
        Ok((name, error))
    }
}
