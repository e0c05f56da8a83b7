package pattern

import (
	"regexp"
	"time"
)

var trace = pattern{
	Name: "trace", Brief: "as a file says, which tells the lengths too", Sends: "as a file says, which tells each one's lengths too",
	Recorded: true,
	Needs: []Key{maxInFlight, {Name: "file", Match: regexp.MustCompile(`^$|\.(jsonl|csv)$`), Hint: "is neither a .jsonl nor a .csv file",
		Doc: "Trace of arrivals and lengths, relative to this file: .jsonl with the keys timestamp, input_length and output_length (Mooncake, Qwen-Bailian, vLLM, GuideLLM), or .csv with these or the columns of Azure or BurstGPT. Prompts share no beginnings, whatever hash_ids says."}},
	May: []Key{{Name: "time_unit", Note: "what the file proves", Match: regexp.MustCompile(`^$|^(ms|s)$`), Hint: "is no unit: write ms or s",
		Doc: "Unit of a trace's times: ms or s. Dates, BurstGPT's and Qwen-Bailian's files and times since 1970 prove theirs; a file with other numbers needs this key."}},
	Schedule: func(_ Load, _ uint64, t Trace) Due {
		return func(n int) (time.Duration, bool) {
			if n >= len(t.Arrivals) {
				return 0, false
			}
			return t.Arrivals[n].Due, true
		}
	},
}
