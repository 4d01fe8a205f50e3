//! The library's events as log lines: the one place where levels and fields are decided.

mod pool_element;
mod pool_user;
mod registrar;

pub(crate) use pool_element::log_pool_element;
pub(crate) use pool_user::log_pool_user;
pub(crate) use registrar::log_registrar;
