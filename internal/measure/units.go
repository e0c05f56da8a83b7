package measure

// Units. No bare float64 of these kinds crosses a package.
type (
	// Joules of energy.
	Joules float64
	// Celsius of temperature.
	Celsius float64
)
