// What the threads of a lane group add up: ROWS rows of x times OUTPUTS weight rows, [T, OUTPUTS], and each row's sum of
// squares where a norm stands before. LANES threads share them; where PAIRS is 1, the second half of the weight rows
// belongs to the first, one by one.
const SUMS: u32 = ROWS * (OUTPUTS + NORM);
const SQUARES: u32 = ROWS * OUTPUTS;
const RESULTS: u32 = OUTPUTS / (1u + PAIRS);
alias Sums = array<f32, SUMS>;

// The lane that finishes a sum, and with it its partner.
fn lane_of(sum: u32) -> u32 { return (sum / OUTPUTS * RESULTS + sum % OUTPUTS % RESULTS) % LANES; }
