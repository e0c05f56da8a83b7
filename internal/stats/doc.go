// Package stats summarises small samples: the distributions that a record
// states, the coefficient of variation that ends a warmup, and which differences
// between repeated runs are real.
//
// Quantiles are those of the empirical distribution: the smallest value that
// at least the given share of the sample does not exceed (R's type 1), so that
// a p99 is always a latency that really occurred. Standard deviations are those
// of a sample, with n − 1. A sample that holds NaN or an infinity has no
// summary, because one bad value must not turn into a plausible figure.
//
// Samples are compared on their logarithms. [Arrange] takes the order in which the
// runs of two points were made, and says whether it can distinguish a difference from drift
// and by which test; [Order.Difference] is that test's answer, and [Order.Drift] what
// the runs show of drift. [Welch] does not look at the order, and holds only if
// nothing drifted. Where many are compared, [Holm] gives the level of each. A
// comparison that shows nothing says how many repeats would ([Difference.Repeats]).
//
// Arithmetic is gonum's.
package stats
