//! Octets as hexadecimal digits.

/// The octets of these digits, between which there may be blanks and colons; `None` if there is
/// anything else or an odd number of digits.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u32> = text
        .chars()
        .filter(|c| !c.is_whitespace() && *c != ':')
        .map(|c| c.to_digit(16))
        .collect::<Option<_>>()?;
    let (pairs, rest) = digits.as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    pairs
        .iter()
        .map(|[high, low]| u8::try_from(high << 4 | low).ok())
        .collect()
}

/// The digits of these octets, without blanks.
pub(crate) fn encode(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_with_blanks_and_colons() {
        assert_eq!(decode("0a:0B 0c\n0d"), Some(vec![10, 11, 12, 13]));
        assert_eq!(decode(""), Some(vec![]));
        assert_eq!(decode("0a0"), None);
        assert_eq!(decode("0g"), None);
        assert_eq!(encode(&[0, 0xff, 0x0a]), "00ff0a");
    }
}
