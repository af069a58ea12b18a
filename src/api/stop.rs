//! Stop strings that may straddle tokens.

/// Lets text through that cannot be part of a stop string, and holds back text that still may be.
pub struct StopMatcher {
    stops: Vec<String>,
    held: String,
}

impl StopMatcher {
    /// For these stop strings; empty ones are ignored.
    pub fn new(stops: Vec<String>) -> Self {
        StopMatcher { stops: stops.into_iter().filter(|s| !s.is_empty()).collect(), held: String::new() }
    }

    /// Takes new text; returns the text that may be shown, and whether a stop string was found (it and all after it are
    /// dropped).
    pub fn push(&mut self, text: &str) -> (String, bool) {
        self.held.push_str(text);
        if let Some(at) = self.stops.iter().filter_map(|stop| self.held.find(stop.as_str())).min() {
            self.held.truncate(at);
            return (std::mem::take(&mut self.held), true);
        }
        let keep = self.possible_start();
        let shown = self.held.drain(..self.held.len() - keep).collect();
        (shown, false)
    }

    /// The text that was held back and is no stop string after all.
    pub fn finish(&mut self) -> String {
        std::mem::take(&mut self.held)
    }

    /// Bytes at the end of the held text that begin a stop string.
    fn possible_start(&self) -> usize {
        let longest = |stop: &String| {
            let most = self.held.len().min(stop.len() - 1);
            (1..=most).rev().find(|&n| stop.is_char_boundary(n) && self.held.ends_with(&stop[..n])).unwrap_or(0)
        };
        self.stops.iter().map(longest).max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(stops: &[&str], pieces: &[&str]) -> (String, bool) {
        let mut matcher = StopMatcher::new(stops.iter().map(|s| s.to_string()).collect());
        let mut shown = String::new();
        for piece in pieces {
            let (text, stopped) = matcher.push(piece);
            shown += &text;
            if stopped {
                return (shown, true);
            }
        }
        (shown + &matcher.finish(), false)
    }

    #[test]
    fn a_stop_string_is_found_across_every_split() {
        let text = "Héllo, wörld. END and more";
        for cut in (0..=text.len()).filter(|&i| text.is_char_boundary(i)) {
            assert_eq!(run(&["END", "zzz"], &[&text[..cut], &text[cut..]]), ("Héllo, wörld. ".into(), true));
        }
    }

    #[test]
    fn a_false_start_is_given_back() {
        assert_eq!(run(&["</s>"], &["a <", "/b> <", "/s"]), ("a </b> </s".into(), false));
        assert_eq!(run(&["aab"], &["a", "a", "a", "b"]), ("a".into(), true));
        assert_eq!(run(&["é"], &["caf", "e"]), ("cafe".into(), false));
    }

    #[test]
    fn the_earliest_of_several_wins_and_text_before_is_shown_at_once() {
        assert_eq!(run(&["b", "ab"], &["xaby"]), ("x".into(), true));
        let mut matcher = StopMatcher::new(vec!["END".into()]);
        assert_eq!(matcher.push("hello E"), ("hello ".into(), false));
    }
}
