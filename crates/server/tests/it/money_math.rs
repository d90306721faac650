//! Prices computed with a pencil: nothing of the server's is used here.

/// Nano-dollars of a decimal text in dollars.
pub fn nanos(usd: &str) -> i128 {
    scaled(usd, 9)
}

/// A decimal text times ten to the power of `digits`; it must come out even.
fn scaled(text: &str, digits: usize) -> i128 {
    let (sign, text) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    assert!(part.len() <= digits, "{text} has more than {digits} digits");
    let whole: i128 = whole.parse().unwrap();
    let part: i128 = format!("{part:0<digits$}").parse().unwrap();
    sign * (whole * 10_i128.pow(digits as u32) + part)
}

fn ceil(units: u64, usd_per_million: &str) -> i128 {
    // Dollars for a million are micro-dollars for one: six digits more are
    // pico-dollars, of which a thousand make a nano-dollar.
    (i128::from(units) * scaled(usd_per_million, 6) + 999) / 1000
}

/// What a customer pays, in nano-dollars, without a markup.
pub fn charge(prompt: u64, completion: u64, price: (&str, &str)) -> i128 {
    ceil(prompt, price.0) + ceil(completion, price.1)
}

/// The same with a markup in parts per million, rounded up.
pub fn marked_up(charge: i128, ppm: i128) -> i128 {
    charge + (charge * ppm + 999_999) / 1_000_000
}

/// `usage.cost` in nano-dollars.
pub fn cost(usage: &serde_json::Value) -> i128 {
    let dollars = usage["cost"].as_f64().unwrap_or_else(|| panic!("{usage}"));
    (dollars * 1e9).round() as i128
}
