//! The byte alphabet of GPT-2: each byte as one printable character, so that a vocabulary of bytes is readable text.
//! Source: Radford et al. 2019, `bytes_to_unicode`. Printable Latin-1 stands for itself; the other 68 bytes are
//! U+0100, U+0101, … in order.

/// The byte that a character stands for; `None` for characters outside the alphabet.
fn char_to_byte(c: char) -> Option<u8> {
    let code = u32::from(c);
    let byte = match code {
        0x21..=0x7E | 0xA1..=0xAC | 0xAE..=0xFF => code,
        0x100..=0x120 => code - 0x100,
        0x121..=0x142 => code - 0x121 + 0x7F,
        0x143 => 0xAD,
        _ => return None,
    };
    Some(byte as u8) // each arm is below 256
}

/// A token's text in the byte alphabet as bytes; text with a foreign character is taken literally.
pub(super) fn decode_alphabet(text: &str) -> Vec<u8> {
    let bytes: Option<Vec<u8>> = text.chars().map(char_to_byte).collect();
    bytes.unwrap_or_else(|| text.as_bytes().to_vec())
}

/// The byte of a fallback token, `<0x0A>`.
pub(super) fn fallback_byte(text: &str) -> Option<u8> {
    let hex = text.strip_prefix("<0x")?.strip_suffix('>')?;
    (hex.len() == 2 && hex.bytes().all(|b| b.is_ascii_hexdigit())).then_some(())?;
    u8::from_str_radix(hex, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alphabet_is_the_crates() {
        let alphabet = tokenizers::pre_tokenizers::byte_level::ByteLevel::alphabet();
        let bytes: std::collections::BTreeSet<u8> = alphabet.into_iter().filter_map(char_to_byte).collect();
        assert_eq!(bytes.len(), 256);
        assert_eq!((char_to_byte('Ġ'), char_to_byte('Ċ'), char_to_byte('▁')), (Some(b' '), Some(b'\n'), None));
    }

    #[test]
    fn fallback_tokens() {
        assert_eq!(fallback_byte("<0x0A>"), Some(10));
        assert_eq!(fallback_byte("<0xfF>"), Some(255));
        for text in ["<0x>", "<0x0>", "<0x+1>", "<0x0AA>", "0x0A", "<0x0A"] {
            assert_eq!(fallback_byte(text), None, "{text}");
        }
    }
}
