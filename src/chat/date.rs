//! Dates as Python's `strftime` writes them, which is glibc's way, in English.

use minijinja::Error;

use super::budget::Meter;

const DAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// A date in C's notation. `now` counts seconds since 1970 in the time zone that is meant, which has no name.
pub(super) fn strftime(now: i64, format: &str, meter: &mut Meter) -> Result<String, Error> {
    let date = Date::of(now);
    let mut out = String::new();
    let mut rest = format;
    while let Some((before, after)) = rest.split_once('%') {
        out.push_str(before);
        let (flags, after) = span(after, |c| "_-0^#".contains(c));
        let (width, after) = span(after, |c| c.is_ascii_digit());
        let (_, after) = span(after, |c| "EO".contains(c));
        let directive = after.chars().next();
        let Some((text, fill)) = directive.and_then(|directive| date.directive(directive)) else {
            // An unknown directive stays as it is.
            out.push('%');
            rest = &rest[before.len() + 1..];
            continue;
        };
        rest = &after[directive.map_or(0, char::len_utf8)..];
        meter.charge(text.len() as u64)?;
        // The last flag counts.
        let fill = match flags.chars().rfind(|flag| "_-0".contains(*flag)) {
            Some('_') => Some(' '),
            Some('-') => None,
            Some(_) => Some('0'),
            None => fill,
        };
        let least = match &text {
            Text::Number(_, digits) if width.is_empty() => *digits,
            _ => width.parse().unwrap_or(if width.is_empty() { 0 } else { usize::MAX }),
        };
        let text = match (text, flags) {
            (Text::Number(number, _), _) => number.to_string(),
            (Text::Words(words), flags) if flags.contains('^') => words.to_uppercase(),
            (Text::Words(words), flags) if flags.contains('#') && directive == Some('p') => words.to_lowercase(),
            (Text::Words(words), flags) if flags.contains('#') => words.to_uppercase(),
            (Text::Words(words), _) => words,
        };
        if let Some(fill) = fill {
            let missing = least.saturating_sub(text.len());
            meter.charge(missing as u64)?;
            out.push_str(&fill.to_string().repeat(missing));
        }
        out.push_str(&text);
    }
    out.push_str(rest);
    Ok(out)
}

/// The characters at the start that belong together, and what follows them.
fn span(text: &str, belongs: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|c| !belongs(c)).unwrap_or(text.len()))
}

/// A directive's value.
enum Text {
    /// And how many digits it has at least.
    Number(i64, usize),
    Words(String),
}

impl Text {
    fn len(&self) -> usize {
        match self {
            Text::Number(_, digits) => *digits,
            Text::Words(words) => words.len(),
        }
    }
}

struct Date {
    /// Seconds since 1970.
    now: i64,
    year: i64,
    /// 1 to 12.
    month: i64,
    /// 1 to 31.
    day: i64,
    hour: i64,
    minute: i64,
    second: i64,
    /// 0 is Sunday.
    weekday: i64,
    /// 1 to 366.
    year_day: i64,
}

impl Date {
    fn of(now: i64) -> Self {
        let now = now.clamp(-62_135_596_800, 253_402_300_799); // the years 1 to 9999
        let (days, seconds) = (now.div_euclid(86_400), now.rem_euclid(86_400));
        let (year, month, day) = civil(days);
        Date {
            now,
            year,
            month,
            day,
            hour: seconds / 3600,
            minute: seconds / 60 % 60,
            second: seconds % 60,
            weekday: (days + 4).rem_euclid(7), // 1970-01-01 was a Thursday
            year_day: days - days_before(year) + 1,
        }
    }

    /// A directive's value, and the character that fills its width; `None` for an unknown one.
    fn directive(&self, directive: char) -> Option<(Text, Option<char>)> {
        let number = |number, digits| Some((Text::Number(number, digits), Some('0')));
        let spaced = |number| Some((Text::Number(number, 2), Some(' ')));
        let words = |words: &str| Some((Text::Words(words.to_owned()), Some(' ')));
        let (day_name, month_name) = (DAYS[self.weekday as usize], MONTHS[self.month as usize - 1]);
        let hour12 = (self.hour + 11) % 12 + 1;
        let half = if self.hour < 12 { "AM" } else { "PM" };
        let (year, month, day, hour) = (self.year, self.month, self.day, self.hour);
        let (minute, second) = (self.minute, self.second);
        match directive {
            'Y' => number(year, 1),
            'C' => number(year / 100, 2),
            'y' => number(year % 100, 2),
            'G' => number(self.iso_week().0, 1),
            'g' => number(self.iso_week().0 % 100, 2),
            'm' => number(month, 2),
            'd' => number(day, 2),
            'e' => spaced(day),
            'j' => number(self.year_day, 3),
            'U' => number((self.year_day + 6 - self.weekday) / 7, 2),
            'W' => number((self.year_day + 6 - (self.weekday + 6) % 7) / 7, 2),
            'V' => number(self.iso_week().1, 2),
            'u' => number((self.weekday + 6) % 7 + 1, 1),
            'w' => number(self.weekday, 1),
            'H' => number(hour, 2),
            'k' => spaced(hour),
            'I' => number(hour12, 2),
            'l' => spaced(hour12),
            'M' => number(minute, 2),
            'S' => number(second, 2),
            'f' => number(0, 6),
            's' => number(self.now, 1),
            'A' => words(day_name),
            'a' => words(&day_name[..3]),
            'B' => words(month_name),
            'b' | 'h' => words(&month_name[..3]),
            'p' => words(half),
            'P' => words(&half.to_lowercase()),
            'c' => {
                let (day_name, month_name) = (&day_name[..3], &month_name[..3]);
                words(&format!("{day_name} {month_name} {day:2} {hour:02}:{minute:02}:{second:02} {year}"))
            }
            'D' | 'x' => words(&format!("{month:02}/{day:02}/{:02}", year % 100)),
            'F' => words(&format!("{year}-{month:02}-{day:02}")),
            'R' => words(&format!("{hour:02}:{minute:02}")),
            'T' | 'X' => words(&format!("{hour:02}:{minute:02}:{second:02}")),
            'r' => words(&format!("{hour12:02}:{minute:02}:{second:02} {half}")),
            'z' | 'Z' => words(""),
            'n' => words("\n"),
            't' => words("\t"),
            '%' => words("%"),
            _ => None,
        }
    }

    /// The year and the number of the week by ISO 8601: a week belongs to the year that has its Thursday.
    fn iso_week(&self) -> (i64, i64) {
        let thursday = self.now.div_euclid(86_400) + 3 - (self.weekday + 6) % 7;
        let year = civil(thursday).0;
        (year, (thursday - days_before(year)) / 7 + 1)
    }
}

/// Days from 1970-01-01 to the first of January of a year in the Gregorian calendar.
fn days_before(year: i64) -> i64 {
    let y = year - 1;
    y * 365 + y.div_euclid(4) - y.div_euclid(100) + y.div_euclid(400) - 719_162
}

/// The year, month and day of a number of days since 1970-01-01.
fn civil(days: i64) -> (i64, i64, i64) {
    let mut year = 1970 + days.div_euclid(366); // never too late
    while days_before(year + 1) <= days {
        year += 1;
    }
    let leap = days_before(year + 1) - days_before(year) == 366;
    let lengths = [31, if leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut day = days - days_before(year);
    let mut month = 0;
    while month < 11 && day >= lengths[month] {
        day -= lengths[month];
        month += 1;
    }
    (year, month as i64 + 1, day + 1)
}
