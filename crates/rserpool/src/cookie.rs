//! Cookies that nobody but the pool elements of a pool can read or make (RFC 5352 §3.8: "a cookie
//! should be signed by the sending PE and verified by the receiving PE").
//!
//! ```text
//!  version (1) │ nonce (24) │ sealed: expiry (8) │ element (4) │ pool's length (2) │ pool │ state
//! ```
//!
//! Sealed with XChaCha20-Poly1305: encrypted and authenticated together with the version. Its
//! nonces are long enough to be drawn at random by any number of pool elements with one key.
//!
//! The pool elements of a pool have different clocks, and somebody may set one. A clock that is
//! set while a pool element runs makes no cookie expire early; some hold longer.

use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use rserpool_wire::parameter::COOKIE_OCTETS_MAX;
use rserpool_wire::{PoolElementId, PoolHandle};
use std::error::Error;
use std::fmt;
use std::str::FromStr;
use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How this layout begins. Another one gets another number.
const VERSION: u8 = 1;

const NONCE_OCTETS: usize = 24;
const TAG_OCTETS: usize = 16;

/// How long a cookie holds unless told otherwise: longer than any failover, and shorter than
/// what somebody would do with a cookie that was stolen.
const LIFE: Duration = Duration::from_secs(3600);

/// The key that all pool elements of a pool share. Keep it as what it is: whoever has it can read
/// and make all cookies of the pool.
#[derive(Clone)]
pub struct CookieKey(XChaCha20Poly1305);

impl CookieKey {
    /// The length of a key.
    pub const OCTETS: usize = 32;

    /// A key from a secret that is as random as it is long.
    pub fn new(secret: [u8; Self::OCTETS]) -> Self {
        Self(XChaCha20Poly1305::new(&secret.into()))
    }
}

impl fmt::Debug for CookieKey {
    /// Without the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CookieKey")
    }
}

/// The text is no key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct InvalidCookieKey;

impl fmt::Display for InvalidCookieKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key has 64 hexadecimal digits: make one with `openssl rand -hex 32`")
    }
}

impl Error for InvalidCookieKey {}

impl FromStr for CookieKey {
    type Err = InvalidCookieKey;

    /// A key as 64 hexadecimal digits.
    fn from_str(text: &str) -> Result<Self, InvalidCookieKey> {
        let digits = text.trim().as_bytes();
        let mut secret = [0; Self::OCTETS];
        if digits.len() != 2 * Self::OCTETS {
            return Err(InvalidCookieKey);
        }
        for (octet, pair) in secret.iter_mut().zip(digits.chunks_exact(2)) {
            let digit = |index: usize| char::from(pair[index]).to_digit(16);
            let (Some(high), Some(low)) = (digit(0), digit(1)) else {
                return Err(InvalidCookieKey);
            };
            *octet = u8::try_from(16 * high + low).expect("two hexadecimal digits fit an octet");
        }
        Ok(Self::new(secret))
    }
}

/// Seals the state of a session in a cookie, and opens the cookies of the other pool elements of
/// its pool.
///
/// What is opened was sealed for this pool and not changed. It need not be the latest, nor of this
/// pool user: who has a cookie can echo it again, here and elsewhere, until it expires. Put in the
/// state what says whose it is, and keep elsewhere what must not be used twice.
///
/// ```
/// use rserpool::{CookieKey, CookieSeal, PoolElementId};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let key = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
/// let key: CookieKey = key.parse()?;
/// let one = CookieSeal::new(key.clone(), "counter", PoolElementId(1));
/// let cookie = one.seal(b"42")?; // for Connection::send_cookie
/// let other = CookieSeal::new(key, "counter", PoolElementId(2));
/// assert_eq!(other.open(&cookie)?, b"42"); // from Connection::take_cookie_echo
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct CookieSeal {
    key: CookieKey,
    former_keys: Vec<CookieKey>,
    pool_handle: PoolHandle,
    element: PoolElementId,
    life: Duration,
    only_own: bool,
}

impl CookieSeal {
    /// Seals for this pool, as this pool element. Cookies hold for an hour.
    pub fn new(key: CookieKey, pool_handle: impl Into<PoolHandle>, element: PoolElementId) -> Self {
        // From now on it is known when the clock is set.
        Clocks::now();
        Self {
            key,
            former_keys: Vec::new(),
            pool_handle: pool_handle.into(),
            element,
            life: LIFE,
            only_own: false,
        }
    }

    /// How long the cookies that it seals hold.
    #[must_use]
    pub fn life(mut self, life: Duration) -> Self {
        self.life = life;
        self
    }

    /// Opens also what was sealed with this key: the one before, while a new one is introduced.
    #[must_use]
    pub fn also_opens(mut self, key: CookieKey) -> Self {
        self.former_keys.push(key);
        self
    }

    /// Opens only what this pool element sealed itself: for state that means nothing elsewhere,
    /// as of a session that comes back.
    #[must_use]
    pub fn only_own(mut self) -> Self {
        self.only_own = true;
        self
    }

    /// A cookie with this state.
    ///
    /// # Errors
    /// See [`SealFailed`].
    pub fn seal(&self, state: &[u8]) -> Result<Vec<u8>, SealFailed> {
        self.seal_at(Clocks::now().latest, state)
    }

    /// The state in a cookie.
    ///
    /// # Errors
    /// See [`CookieRefused`].
    pub fn open(&self, cookie: &[u8]) -> Result<Vec<u8>, CookieRefused> {
        self.open_at(Clocks::now().earliest, cookie)
    }

    fn seal_at(&self, now: Duration, state: &[u8]) -> Result<Vec<u8>, SealFailed> {
        let pool = self.pool_handle.as_octets();
        let pool_octets = u16::try_from(pool.len()).map_err(|_| SealFailed::TooLarge)?;
        let expiry = now.saturating_add(self.life).as_millis();
        let expiry = u64::try_from(expiry).unwrap_or(u64::MAX);
        let mut content = Vec::with_capacity(14 + pool.len() + state.len());
        content.extend(expiry.to_be_bytes());
        content.extend(self.element.0.to_be_bytes());
        content.extend(pool_octets.to_be_bytes());
        content.extend(pool);
        content.extend(state);
        if 1 + NONCE_OCTETS + content.len() + TAG_OCTETS > COOKIE_OCTETS_MAX {
            return Err(SealFailed::TooLarge);
        }
        let mut nonce = [0; NONCE_OCTETS];
        getrandom::fill(&mut nonce).map_err(|_| SealFailed::NoRandomness)?;
        let sealed = self
            .key
            .0
            .encrypt(&XNonce::from(nonce), payload(&content))
            .map_err(|_| SealFailed::TooLarge)?;
        Ok([&[VERSION], &nonce[..], &sealed].concat())
    }

    fn open_at(&self, now: Duration, cookie: &[u8]) -> Result<Vec<u8>, CookieRefused> {
        let (&version, rest) = cookie.split_first().ok_or(CookieRefused::NotSealed)?;
        let (nonce, sealed) = rest
            .split_first_chunk::<NONCE_OCTETS>()
            .ok_or(CookieRefused::NotSealed)?;
        if version != VERSION {
            return Err(CookieRefused::NotSealed);
        }
        let nonce = XNonce::from(*nonce);
        let mut keys = std::iter::once(&self.key).chain(&self.former_keys);
        let opened = keys.find_map(|key| key.0.decrypt(&nonce, payload(sealed)).ok());
        let content = opened.ok_or(CookieRefused::Forged)?;
        self.check(now, &content)
    }

    /// What is sealed was sealed with the key; whether it is for us is another question.
    fn check(&self, now: Duration, content: &[u8]) -> Result<Vec<u8>, CookieRefused> {
        // Who has the key keeps to the layout; whatever else it made is not for us.
        let expected = CookieRefused::NotSealed;
        let (expiry, rest) = content.split_first_chunk::<8>().ok_or(expected)?;
        let (element, rest) = rest.split_first_chunk::<4>().ok_or(expected)?;
        let (pool_octets, rest) = rest.split_first_chunk::<2>().ok_or(expected)?;
        let pool_octets = usize::from(u16::from_be_bytes(*pool_octets));
        let (pool, state) = rest.split_at_checked(pool_octets).ok_or(expected)?;
        if pool != self.pool_handle.as_octets() {
            return Err(CookieRefused::OtherPool);
        }
        let element = PoolElementId(u32::from_be_bytes(*element));
        if self.only_own && element != self.element {
            return Err(CookieRefused::OtherElement(element));
        }
        let expiry = Duration::from_millis(u64::from_be_bytes(*expiry));
        if now >= expiry {
            return Err(CookieRefused::Expired(now - expiry));
        }
        Ok(state.to_vec())
    }
}

/// The version is authenticated with what is sealed.
fn payload(octets: &[u8]) -> Payload<'_, '_> {
    Payload {
        msg: octets,
        aad: &[VERSION],
    }
}

/// What time it may be: by the system's clock, or by what that showed when it was first asked and
/// the time since.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Clocks {
    earliest: Duration,
    latest: Duration,
}

impl Clocks {
    fn now() -> Self {
        static FIRST: OnceLock<(Instant, Duration)> = OnceLock::new();
        let wall = since_1970();
        let (at, first) = *FIRST.get_or_init(|| (Instant::now(), wall));
        Self::of(wall, first.saturating_add(at.elapsed()))
    }

    /// Either may be wrong: the first if the clock has been set, the second if it has been put
    /// right. A cookie that holds too long does less harm than a session that is lost.
    fn of(wall: Duration, steady: Duration) -> Self {
        Self {
            earliest: wall.min(steady),
            latest: wall.max(steady),
        }
    }
}

/// A clock that is before 1970 makes every cookie hold.
fn since_1970() -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.unwrap_or(Duration::ZERO)
}

/// Why there is no cookie.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum SealFailed {
    /// State and pool handle do not fit a cookie.
    TooLarge,
    /// The system gives no random numbers.
    NoRandomness,
}

impl fmt::Display for SealFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge => write!(
                f,
                "state, pool handle and seal exceed the {COOKIE_OCTETS_MAX} octets of a cookie: \
                 keep the state where the other pool elements find it, and seal where that is"
            ),
            Self::NoRandomness => f.write_str("the system gives no random numbers: try again"),
        }
    }
}

impl Error for SealFailed {}

/// Why a cookie is not believed. Begin the session anew, or refuse it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum CookieRefused {
    /// It does not look like a sealed cookie: the other pool elements may not seal theirs.
    NotSealed,
    /// It was not sealed with this key, or was changed since.
    Forged,
    /// It belongs to another pool.
    OtherPool,
    /// It belongs to another pool element, and only own ones are wanted.
    OtherElement(PoolElementId),
    /// It held until so long ago.
    Expired(Duration),
}

impl fmt::Display for CookieRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotSealed => {
                f.write_str("the cookie is not sealed: do all elements of the pool seal theirs?")
            }
            Self::Forged => f.write_str(
                "the cookie was changed or sealed with another key: have all elements of the pool \
                 the same?",
            ),
            Self::OtherPool => f.write_str("the cookie belongs to another pool"),
            Self::OtherElement(id) => write!(f, "the cookie belongs to pool element {id}"),
            Self::Expired(ago) => {
                let seconds = ago.as_secs_f64();
                write!(f, "the cookie expired {seconds:.1} s ago")
            }
        }
    }
}

impl Error for CookieRefused {}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(1_000_000);

    fn key(number: u8) -> CookieKey {
        CookieKey::new([number; CookieKey::OCTETS])
    }

    fn seal() -> CookieSeal {
        CookieSeal::new(key(1), "counter", PoolElementId(1))
    }

    fn cookie() -> Vec<u8> {
        seal().seal_at(NOW, b"state").unwrap()
    }

    #[test]
    fn another_pool_element_opens_it_and_nobody_reads_it() {
        let other = CookieSeal::new(key(1), "counter", PoolElementId(2));
        assert_eq!(other.open_at(NOW, &cookie()).unwrap(), b"state");
        assert!(!cookie().windows(5).any(|part| part == b"state"));
        assert!(!cookie().windows(7).any(|part| part == b"counter"));
        assert_ne!(cookie(), cookie(), "equal states do not look equal");
        assert_eq!(seal().open(&seal().seal(b"").unwrap()).unwrap(), b"");
    }

    #[test]
    fn a_cookie_of_which_any_bit_is_changed_is_refused() {
        let cookie = cookie();
        for bit in 0..8 * cookie.len() {
            let mut forged = cookie.clone();
            forged[bit / 8] ^= 1 << (bit % 8);
            let refused = seal().open_at(NOW, &forged).unwrap_err();
            let expected = if bit < 8 {
                CookieRefused::NotSealed
            } else {
                CookieRefused::Forged
            };
            assert_eq!(refused, expected, "bit {bit}");
        }
        for length in 0..cookie.len() {
            assert!(seal().open_at(NOW, &cookie[..length]).is_err(), "{length}");
        }
        let longer = [&cookie[..], &[0]].concat();
        assert_eq!(seal().open_at(NOW, &longer), Err(CookieRefused::Forged));
    }

    #[test]
    fn a_cookie_of_another_key_pool_or_element_is_refused() {
        let stranger = CookieSeal::new(key(2), "counter", PoolElementId(1));
        let refused = stranger.open_at(NOW, &cookie());
        assert_eq!(refused, Err(CookieRefused::Forged));
        let foreign = CookieSeal::new(key(1), "count", PoolElementId(1));
        let refused = foreign.open_at(NOW, &cookie());
        assert_eq!(refused, Err(CookieRefused::OtherPool));
        let strict = CookieSeal::new(key(1), "counter", PoolElementId(2)).only_own();
        let refused = strict.open_at(NOW, &cookie());
        assert_eq!(refused, Err(CookieRefused::OtherElement(PoolElementId(1))));
        assert_eq!(seal().only_own().open_at(NOW, &cookie()).unwrap(), b"state");
    }

    #[test]
    fn a_cookie_holds_for_its_life() {
        let life = Duration::from_secs(10);
        let cookie = seal().life(life).seal_at(NOW, b"state").unwrap();
        let last = NOW + life - Duration::from_millis(1);
        assert!(seal().open_at(last, &cookie).is_ok());
        let expired = |ago| Err(CookieRefused::Expired(ago));
        assert_eq!(seal().open_at(NOW + life, &cookie), expired(Duration::ZERO));
        assert_eq!(seal().open_at(NOW + 2 * life, &cookie), expired(life));
    }

    #[test]
    fn a_clock_that_is_set_while_it_runs_makes_no_cookie_expire_early() {
        let year = Duration::from_secs(365 * 24 * 3600);
        let steady = 40 * year;
        for wall in [steady + year, steady - year, Duration::ZERO] {
            let set = Clocks::of(wall, steady);
            // What others sealed before, or seal now with their clocks, is opened here.
            let theirs = seal().seal_at(steady, b"state").unwrap();
            assert_eq!(seal().open_at(set.earliest, &theirs).unwrap(), b"state");
            // What is sealed here is opened by others.
            let ours = seal().seal_at(set.latest, b"state").unwrap();
            assert_eq!(seal().open_at(steady, &ours).unwrap(), b"state");
        }
        let right = Clocks::of(steady, steady);
        let old = seal().seal_at(steady - 2 * LIFE, b"state").unwrap();
        let refused = seal().open_at(right.earliest, &old);
        assert_eq!(refused, Err(CookieRefused::Expired(LIFE)));
    }

    #[test]
    fn a_life_of_any_length_is_sealed() {
        let seal = seal().life(Duration::MAX);
        let cookie = seal.seal_at(NOW, b"state").unwrap();
        assert_eq!(seal.open_at(100 * NOW, &cookie).unwrap(), b"state");
    }

    #[test]
    fn a_new_key_is_introduced_while_cookies_of_the_former_are_about() {
        let new = CookieSeal::new(key(2), "counter", PoolElementId(1)).also_opens(key(1));
        assert_eq!(new.open_at(NOW, &cookie()).unwrap(), b"state");
        let newer = new.seal_at(NOW, b"newer").unwrap();
        assert_eq!(seal().open_at(NOW, &newer), Err(CookieRefused::Forged));
    }

    #[test]
    fn the_largest_state_fits_a_cookie() {
        let largest = COOKIE_OCTETS_MAX - 1 - NONCE_OCTETS - TAG_OCTETS - 14 - "counter".len();
        let cookie = seal().seal_at(NOW, &vec![7; largest]).unwrap();
        assert_eq!(cookie.len(), COOKIE_OCTETS_MAX);
        let refused = seal().seal_at(NOW, &vec![7; largest + 1]);
        assert_eq!(refused, Err(SealFailed::TooLarge));
    }

    #[test]
    fn keys_are_64_digits_and_are_not_shown() {
        let digits = "0123456789abcdefABCDEF0123456789".repeat(2);
        let key: CookieKey = format!("{digits}\n").parse().unwrap();
        assert_eq!(format!("{key:?}"), "CookieKey");
        for wrong in ["", "12", &digits[1..], &digits.replace('0', "g")] {
            assert!(wrong.parse::<CookieKey>().is_err(), "{wrong}");
        }
    }
}
