package draw

import (
	"math"
	"math/rand/v2"
)

// Source is one stream of random numbers; it is for one goroutine.
type Source struct{ src *rand.PCG }

// New starts a stream from its beginning.
func New(seed, stream uint64) *Source { return &Source{rand.NewPCG(seed, stream)} }

// Uniform is in (0, 1), in steps of 2⁻⁵³, from their middles: its logarithm is finite.
func (s *Source) Uniform() float64 { return (float64(s.src.Uint64()>>11) + 0.5) / (1 << 53) }

// Exponential has the mean 1, by inversion.
func (s *Source) Exponential() float64 { return -math.Log(s.Uniform()) }

// Normal is standard, by the Box–Muller transform (Ann. Math. Stat. 29, 1958).
func (s *Source) Normal() float64 {
	r := math.Sqrt(-2 * math.Log(s.Uniform()))
	return r * math.Cos(2*math.Pi*s.Uniform())
}

// Gamma has the shape k and the mean 1 (Marsaglia and Tsang, ACM TOMS 26, 2000;
// below shape 1 by their U^(1/k)).
func (s *Source) Gamma(k float64) float64 {
	boost := 1.0
	shape := k
	if shape < 1 {
		boost = math.Pow(s.Uniform(), 1/shape)
		shape++
	}
	a := shape - 1.0/3
	c := 1 / math.Sqrt(9*a)
	for {
		x := s.Normal()
		v := 1 + c*x
		if v <= 0 {
			continue
		}
		v = v * v * v
		if math.Log(s.Uniform()) < x*x/2+a-a*v+a*math.Log(v) {
			return a * v * boost / k
		}
	}
}
