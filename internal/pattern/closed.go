package pattern

// Default is the pattern of a load that names no other.
const Default = "closed"

var closed = pattern{
	Name: Default, Brief: "keeps `concurrency` requests in flight", Sends: "as soon as one of `concurrency` places is free",
	Closed: true,
	May:    []Key{{Name: "concurrency", Default: 1, Min: 1, Max: 100000, Instead: ": use max_in_flight", Doc: "Requests in flight (closed)."}},
}
