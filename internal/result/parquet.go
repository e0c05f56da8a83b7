package result

import (
	"io"
	"iter"
	"slices"

	"github.com/parquet-go/parquet-go"
)

// TimeseriesRow is one GPU's second of the window: the eight columns that protocol
// section 7 locks, and then what joins them with other files.
type TimeseriesRow struct {
	TimestampS       float64  `parquet:"timestamp_s"` // since t0
	GPUIndex         int32    `parquet:"gpu_index"`   // NVML's
	PowerW           *float32 `parquet:"power_w,optional"`
	TemperatureC     *float32 `parquet:"temperature_c,optional"`
	MemoryUsedMB     *float32 `parquet:"memory_used_mb,optional"` // 2²⁰ bytes
	MemoryTotalMB    *float32 `parquet:"memory_total_mb,optional"`
	SMUtilisationPct *float32 `parquet:"sm_utilisation_pct,optional"`
	ThrottleReasons  *int64   `parquet:"throttle_reasons,optional"` // OR of the second's bits
	GPUUUID          string   `parquet:"gpu_uuid,dict"`
	UTCNS            int64    `parquet:"utc_ns"`                      // of timestamp_s, since 1970
	ExperimentID     *string  `parquet:"experiment_id,optional,dict"` // of the record; null from llem measure
}

// RequestRow is one request; ns since t0, null for what never happened.
type RequestRow struct {
	ID              int64   `parquet:"id"` // in the order of sending
	ScheduledNS     int64   `parquet:"scheduled_ns"`
	SentNS          *int64  `parquet:"sent_ns,optional"`
	FirstByteNS     *int64  `parquet:"first_byte_ns,optional"`
	FirstTokenNS    *int64  `parquet:"first_token_ns,optional"`
	LastTokenNS     *int64  `parquet:"last_token_ns,optional"`
	EndNS           *int64  `parquet:"end_ns,optional"`
	InputTokens     *int32  `parquet:"input_tokens,optional"`     // null: unknown
	OutputTokens    *int32  `parquet:"output_tokens,optional"`    // null: unknown; a chunk is no token
	ReasoningTokens *int32  `parquet:"reasoning_tokens,optional"` // null: unknown
	Status          string  `parquet:"status"`                    // ok | failed | timeout | cut (the run was interrupted)
	HTTPStatus      int32   `parquet:"http_status"`
	Error           string  `parquet:"error"`
	FinishReason    string  `parquet:"finish_reason"`
	PromptHash      string  `parquet:"prompt_hash"`            // SHA-256
	UsageRefused    *string `parquet:"usage_refused,optional"` // why counts of the server's usage were not taken; null: they were, or there were none
	Model           *string `parquet:"model,optional"`         // that the answer names; null: the one that was asked for, or none
	CachedTokens    *int32  `parquet:"cached_tokens,optional"` // of input_tokens, found in the prefix cache by the server's usage; null: it does not say
	// What counted input_tokens and output_tokens, as tokens.input_source and
	// tokens.source of the record: server, or the name of what counted the prompts;
	// chunks and none, of output_tokens, did not count them.
	InputTokensBy  *string `parquet:"input_tokens_by,optional,dict"`
	OutputTokensBy *string `parquet:"output_tokens_by,optional,dict"`
	// Lengths that were planned; null: none was known. An answer's is its limit.
	PlannedInputTokens  *int32  `parquet:"planned_input_tokens,optional"`
	PlannedOutputTokens *int32  `parquet:"planned_output_tokens,optional"`
	ChunkDeltaNS        []int64 `parquet:"chunk_delta_ns,list"` // to the chunk before; the first to sent
	ChunkTokens         []int32 `parquet:"chunk_tokens,list"`   // in each of those chunks, at least: 1 where the server did not say
	ExperimentID        string  `parquet:"experiment_id,dict"`  // of the record
}

// SampleRow is one reading of one GPU as it was read.
type SampleRow struct {
	Phase            string `parquet:"phase,dict"`
	Edge             bool   `parquet:"edge"`        // read to open or close a span, not by the interval
	Source           string `parquet:"source,dict"` // the meter, such as nvml
	GPUUUID          string `parquet:"gpu_uuid,dict"`
	GPUIndex         int32  `parquet:"gpu_index"`
	MonotonicNS      int64  `parquet:"monotonic_ns"`       // since the run's epoch; the middle of the read
	WindowNS         *int64 `parquet:"window_ns,optional"` // since t0
	UTCNS            int64  `parquet:"utc_ns"`             // since 1970
	ReadTookNS       int64  `parquet:"read_took_ns"`
	EnergyMJ         *int64 `parquet:"energy_mj,optional"`        // the driver's counter
	EnergyDeviceUS   *int64 `parquet:"energy_device_us,optional"` // the driver's own stamp, since 1970
	PowerInstantMW   *int32 `parquet:"power_instant_mw,optional"` // NVML field 186
	PowerAverageMW   *int32 `parquet:"power_average_mw,optional"` // NVML field 185
	PowerUsageMW     *int32 `parquet:"power_usage_mw,optional"`   // nvmlDeviceGetPowerUsage
	TemperatureC     *int32 `parquet:"temperature_c,optional"`
	MemoryUsedBytes  *int64 `parquet:"memory_used_bytes,optional"`
	MemoryTotalBytes *int64 `parquet:"memory_total_bytes,optional"`
	SMUtilisationPct *int32 `parquet:"sm_utilisation_pct,optional"`
	ThrottleReasons  *int64 `parquet:"throttle_reasons,optional"`
	// The driver's counters of the time that a reason held, in ns: NVML fields 74,
	// 75, 269, 270, 271.
	SWPowerCapNS   *int64 `parquet:"throttled_sw_power_cap_ns,optional"`
	ThermalNS      *int64 `parquet:"throttled_thermal_ns,optional"`
	SWThermalNS    *int64 `parquet:"throttled_sw_thermal_ns,optional"`
	HWThermalNS    *int64 `parquet:"throttled_hw_thermal_ns,optional"`
	HWPowerBrakeNS *int64 `parquet:"throttled_hw_power_brake_ns,optional"`
	ExperimentID   string `parquet:"experiment_id,dict"` // of the record
}

// rowGroup bounds what is held in memory while a file is written.
const rowGroup = 1 << 16

// PutTimeseries writes timeseries.parquet.
func (s *Store) PutTimeseries(rows []TimeseriesRow) error {
	return put(s, TimeseriesFile, slices.Values(rows))
}

// groupChunks bounds the chunks of one row group of requests, of which each may have
// thousands.
const groupChunks = 1 << 20

// PutRequests writes requests.parquet, row by row: no more than a row group is held.
func (s *Store) PutRequests(rows iter.Seq[RequestRow]) error {
	return s.Put(RequestsFile, func(w io.Writer) error {
		chunks := 0
		return encode(w, rows, func(r *RequestRow) bool {
			if chunks += len(r.ChunkDeltaNS); chunks < groupChunks {
				return false
			}
			chunks = 0
			return true
		})
	})
}

// PutSamples writes samples.parquet.
func (s *Store) PutSamples(rows iter.Seq[SampleRow]) error { return put(s, SamplesFile, rows) }

func put[T any](s *Store, name string, rows iter.Seq[T]) error {
	return s.Put(name, func(w io.Writer) error { return encode(w, rows, nil) })
}

// encode writes rows. full, if any, says after which row a row group ends, though it may have
// more.
func encode[T any](w io.Writer, rows iter.Seq[T], full func(*T) bool) error {
	p := parquet.NewGenericWriter[T](w, parquet.Compression(&parquet.Zstd), parquet.MaxRowsPerRowGroup(rowGroup),
		parquet.KeyValueMetadata("llem.schema_version", SchemaVersion))
	batch := make([]T, 0, 1024)
	for r := range rows {
		batch = append(batch, r)
		ends := full != nil && full(&r)
		if len(batch) < cap(batch) && !ends {
			continue
		}
		if _, err := p.Write(batch); err != nil {
			return err
		}
		batch = batch[:0]
		if ends {
			if err := p.Flush(); err != nil {
				return err
			}
		}
	}
	if _, err := p.Write(batch); err != nil {
		return err
	}
	return p.Close()
}
