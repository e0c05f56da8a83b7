package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/llenergymeasure/llem/internal/study"
)

// loadFlags are the load, as users of other benchmarks type it. Each replaces what
// the file says. Values are checked like those of the file.
type loadFlags struct {
	NumPrompts  *string `short:"n" group:"Load" aliases:"num-requests,request-count" help:"Requests to measure. Default: 10 for each in flight, at least 100." placeholder:"N"`
	Concurrency *string `group:"Load" aliases:"max-concurrency" help:"Requests in flight; with --request-rate the most that may be. Default: 1. Example: 8." placeholder:"N"`
	RequestRate *string `group:"Load" help:"Requests a second, at random times (Poisson) unless the file names another pattern; inf with --concurrency keeps N in flight. Default: no rate, but --concurrency. Example: 2.5." placeholder:"R"`
	InputLen    *string `group:"Load" aliases:"random-input-len,isl" help:"Tokens of each synthetic prompt. Default: 256. Example: 1024." placeholder:"TOKENS"`
	OutputLen   *string `group:"Load" aliases:"random-output-len,osl" help:"Tokens of each answer, at most. Default: 256. Example: 128." placeholder:"TOKENS"`
	Duration    *string `group:"Load" aliases:"benchmark-duration,max-seconds" help:"Start requests for this long, in seconds or with a unit, instead of a number of them; with --num-prompts what ends first. Example: 60, 90s or 5m." placeholder:"TIME"`
}

// add gives the values of the flags, in the order in which they build on each
// other.
func (f loadFlags) add(set func(path string, value *string, flag string)) {
	set("workload.prompts", f.NumPrompts, study.FlagNumPrompts)
	set("workload.load.rate_per_second", f.RequestRate, study.FlagRequestRate)
	set("workload.load.concurrency", f.Concurrency, study.FlagConcurrency)
	set("workload.max_input_tokens", f.InputLen, study.FlagInputLen)
	set("workload.max_output_tokens", f.OutputLen, study.FlagOutputLen)
	set("workload.min_seconds", f.Duration, study.FlagDuration)
}

// check refuses a rate without a limit where nothing says how many requests are
// in flight.
func (f loadFlags) check() error {
	if f.RequestRate != nil && f.Concurrency == nil && study.IsInfinite(*f.RequestRate) {
		return errors.New("--request-rate inf: give --concurrency N too, the requests to keep in flight; as many as --num-prompts sends all at once")
	}
	return nil
}

// timeLimit is a time above 0 that is written with its unit.
type timeLimit time.Duration

// UnmarshalText is how kong reads it.
func (t *timeLimit) UnmarshalText(text []byte) error {
	d, err := time.ParseDuration(string(text))
	_, plain := study.ReadSeconds(string(text))
	switch {
	case err != nil && plain == nil:
		return fmt.Errorf("%s has no unit: write %ss for seconds, or a time such as 10m or 2h", text, text)
	case err != nil:
		return fmt.Errorf("%q is no time: write one such as 90s, 10m or 2h", text)
	case d <= 0:
		return fmt.Errorf("%s: give a time above 0, or leave the flag out for no limit", text)
	}
	*t = timeLimit(d)
	return nil
}
