use serde::{Deserialize, Serialize};
use std::fmt;

/// A pattern of tensor names: `*` stands for any characters but a dot, `**` for any characters, `?` for one that is no
/// dot, everything else for itself. The whole name must match.
///
/// ```
/// use langevin_diffusion::quantization::Pattern;
/// assert!(Pattern::new("blocks.*.weight").matches("blocks.3.weight"));
/// assert!(!Pattern::new("blocks.*.weight").matches("blocks.3.norm.weight"));
/// assert!(Pattern::new("blocks.**.weight").matches("blocks.3.norm.weight"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Pattern(String);

impl Pattern {
    /// The pattern of that text; every text is one.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Whether a whole name matches.
    pub fn matches(&self, name: &str) -> bool {
        let pieces = pieces(&self.0);
        // Which characters of the name each prefix of the pattern can end before: one pass, whatever the stars.
        let name: Vec<char> = name.chars().collect();
        let mut ends = vec![false; name.len() + 1];
        ends[0] = true;
        for piece in pieces {
            let mut next = vec![false; name.len() + 1];
            for i in 0..=name.len() {
                let before = i.checked_sub(1);
                next[i] = match piece {
                    Piece::Exactly(c) => before.is_some_and(|b| ends[b] && name[b] == c),
                    Piece::One => before.is_some_and(|b| ends[b] && name[b] != '.'),
                    Piece::Part => ends[i] || before.is_some_and(|b| next[b] && name[b] != '.'),
                    Piece::Anything => ends[i] || before.is_some_and(|b| next[b]),
                };
            }
            ends = next;
        }
        ends[name.len()]
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A piece of a pattern.
#[derive(Clone, Copy)]
enum Piece {
    Exactly(char),
    One,
    Part,
    Anything,
}

fn pieces(text: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        pieces.push(match c {
            '*' if characters.peek() == Some(&'*') => {
                characters.next();
                Piece::Anything
            }
            '*' => Piece::Part,
            '?' => Piece::One,
            c => Piece::Exactly(c),
        });
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_and_question_marks() {
        let matches = |pattern: &str, name: &str| Pattern::new(pattern).matches(name);
        for (pattern, name, expected) in [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("*", "weight", true),
            ("*", "a.weight", false),
            ("**", "a.b.weight", true),
            ("a.*.c", "a..c", true),
            ("a.*.c", "a.b.b.c", false),
            ("a.**.c", "a.b.b.c", true),
            ("a.**.c", "a.c", false),
            ("**.weight", "weight", false),
            ("**weight", "weight", true),
            ("blocks.?.w", "blocks.7.w", true),
            ("blocks.?.w", "blocks.17.w", false),
            ("blocks.?w", "blocks..w", false),
            ("*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac", false),
            ("größe.*", "größe.é", true),
            ("a+b(c)[d]", "a+b(c)[d]", true),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }
}
