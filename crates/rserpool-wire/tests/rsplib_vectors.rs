//! Octets made by rsplib: read, and written again.

use rserpool_wire::asap;

fn hex(digits: &str) -> Vec<u8> {
    let digits: Vec<u8> = digits.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

#[test]
fn asap() {
    for digits in [
        "01000050 0009000c 4563686f 506f6f6c 000a0040 56c3491e 00000000 00015f90 00040024 c3500001
         00010008 0a010001 00020014 20010db8 00000000 00000000 00000001 0008000c 00000002 00000002",
        "0100003c 0009000c 4563686f 506f6f6c 000a002c 00000001 00000000 00015f90
                        00050010 00500000 00010008 0a010001 0008000c 00000002 00000002",
        "02000018 0009000c 4563686f 506f6f6c 000e0008 56c3491e",
        "03010020 0009000c 4563686f 506f6f6c 000e0008 56c3491e 000c0008 00050004",
        "05000018 0009000c 4563686f 506f6f6c 803f0008 00000001",
        "0600005c 0009000c 4563686f 506f6f6c 0008000c 00000002 00000002
                        000a0040 56c3491e 98d3fe06 00015f90 00040024 c3500001 00010008 0a010001
                        00020014 20010db8 00000000 00000000 00000001 0008000c 00000002 00000002",
        "06000018 0009000c 4563686f 506f6f6c 000c0008 00090004",
        "0701001c 98d3fe06 0009000c 4563686f 506f6f6c 000e0008 56c3491e",
        "0a000008 98d3fe06",
        "0b00000d 000d0009 41424344 45000000",
    ] {
        let octets = hex(digits);
        let decoded = asap::Message::decode(&octets).unwrap();
        println!("{}", decoded.message);
        assert_eq!(decoded.message.encode(), octets);
    }
}
