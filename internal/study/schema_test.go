package study

import "testing"

// What an editor with the schema takes, the decoder takes, and the other way
// round; but for what one key asks of another.
func TestSchemaAndDecoderAgree(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text string
		good bool
	}{
		{"gpus: 0", true}, {"gpus: '0'", true}, {"gpus: none", true}, {"gpus: [GPU-12ab]", true},
		{"gpus: [0, 1]\nparallel: {data: 2}", true}, {"gpus: '0,1'\nparallel: {data: 2}", true},
		{"gpus: [first]", false}, {"gpus: first", false}, {"gpus: [-1]", false}, {"gpus: []", false}, {"gpus: {a: 1}", false}, {"gpus: [0, 0]", false}, {"gpus: null", false}, {"gpus: 5000", false},
		{"engine: {container: {memory: 16GiB, shm_size: 512m}}", true}, {"engine: {container: {memory: 1048576, shm_size: 1.5 GB}}", true},
		{"engine: {container: {memory: '', shm_size: null}}", true},
		{"engine: {container: {memory: -5}}", false}, {"engine: {container: {memory: 0}}", false}, {"engine: {container: {memory: lots}}", false}, {"engine: {container: {memory: '0'}}", false}, {"engine: {container: {memory: true}}", false},
		{"engine: {container: {cpuset: 3, user: 1000}}", true}, {"engine: {container: {cpuset: '0-3,8', user: '1000:1000'}}", true}, {"engine: {container: {cpuset: '', user: ''}}", true},
		{"engine: {container: {cpuset: -3}}", false}, {"engine: {container: {cpuset: a}}", false}, {"engine: {container: {user: -1}}", false}, {"engine: {container: {user: 1.5}}", false},
		{"engine: {container: {ulimits: {nofile: 5, core: '-1:-1'}}}", true}, {"engine: {container: {ulimits: {nofile: many}}}", false}, {"engine: {container: {ulimits: {nofile: null}}}", false},
		{"engine: {container: {mounts: ['a:/b:ro']}}", true}, {"engine: {container: {mounts: [a]}}", false}, {"engine: {container: {mounts: a}}", false},
		{"engine: {container: {devices: [/dev/x]}}", true}, {"engine: {container: {devices: [x]}}", false}, {"engine: {container: {entrypoint: [a, 1, true]}}", true}, {"engine: {container: {entrypoint: [[a]]}}", false},
		{"engine: {args: {a: 1, b: [x, 2, true], c: false, d: 2024-01-01}}", true}, {"engine: {args: null}", true},
		{"engine: {args: {a: {b: 1}}}", false}, {"engine: {args: {a: null}}", true}, {"engine: {args: {a: [null]}}", false}, {"engine: {args: {a: [[1]]}}", false}, {"engine: {args: [1]}", false},
		{"engine: {env: {A: 1, B: x, C: true}}", true}, {"engine: {env: {A: [x]}}", false}, {"engine: {env: {A: null}}", false},
		{"engine: {endpoint: null}", true}, {"engine: {endpoint: 'http://x:8000'}", true}, {"engine: {endpoint: 'x:8000'}", false}, {"engine: {endpoint: ''}", true}, {"sweep: null", true}, {"sweep: {}", false}, {"base: ''", false},
		{"revision: 1234567", true}, {"revision: 2024-01-01", true}, {"revision: v1-beta", true}, {"revision: refs/pr/1", true}, {"revision: 1.5", false}, {"revision: -1", false}, {"name: null", true}, {"name: a b", false}, {"name: 7", false},
		{"workload: {prompts: 1.0}", true}, {"workload: {prompts: 1e2}", true}, {"workload: {prompts: null}", true}, {"workload: {prompts: 1.5}", false}, {"workload: {prompts: '5'}", false}, {"workload: {prompts: 0}", false},
		{"workload: {source: p.jsonl}", true}, {"workload: {source: p.txt}", false}, {"workload: {source: 'hf:a/b'}", true}, {"workload: {source: 'hf:a/b@main/c/d.parquet'}", true}, {"workload: {source: 'hf:a'}", false}, {"workload: {source: p.csv, column: q}", true},
		{"workload: {extra_body: {a: {b: [1, null, {c: x}]}}}", true}, {"workload: {extra_body: {seed: 1}}", false}, {"workload: {extra_body: {stream: false}}", false},
		{"workload: {sampling: {ignore_eos: null, temperature: 1}}", true}, {"workload: {sampling: {ignore_eos: 'yes'}}", false},
		{"energy: {backend: null}", true}, {"energy: {backend: none, country: FRA, python: null}", true}, {"energy: {country: fr}", false}, {"energy: {country: null}", false}, {"energy: {host: null}", false},
		{"warmup: {thermal_floor_seconds: 29}", false}, {"warmup: null", false}, {"warmup: {}", true}, {"gpu_settings: {power_limit_w: null, sm_clock_mhz: 900}", true}, {"gpu_settings: {sm_clock_mhz: 0}", false},
	} {
		text := []byte("model: x\n" + c.text + "\n")
		if _, err := Decode("x.yaml", text, Options{}); (err == nil) != c.good {
			t.Errorf("decoder: %q: %v", c.text, err)
		}
		if err := valid(t, text); (err == nil) != c.good {
			t.Errorf("schema: %q: %v", c.text, err)
		}
	}
}
