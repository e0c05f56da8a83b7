// Package stats summarises small samples, and says which differences between repeated
// runs are real. Arithmetic is gonum's.
//
// In: numbers, and the order in which they were measured. Out: summaries, and differences
// with their intervals.
//
//  1. [Summarise] gives the distribution that a record states, [CV] the coefficient of
//     variation that ends a warmup. Quantiles are those of the empirical distribution:
//     the smallest value that at least the given share of the sample does not exceed (R's
//     type 1), so that a p99 is always a latency that really occurred. Standard deviations
//     are those of a sample, with n − 1. A sample that holds NaN or an infinity has no
//     summary, because one bad value must not turn into a plausible figure.
//  2. [Arrange] takes the order in which the runs of two points were made, and says
//     whether it can distinguish a difference from drift and by which test.
//  3. [Order.Difference] is that test's answer, on logarithms, and [Order.Drift] what the
//     runs show of drift. [Welch] does not look at the order, and holds only if nothing
//     drifted.
//  4. [Holm] gives the level of each, where many are compared.
//  5. [Difference.Repeats] says how many repeats would show a difference that is not shown.
package stats
