package peer

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/llenergymeasure/llem/internal/result"
)

// Requests that are sound to their reader and that no server answered: nothing of them
// ends a peer's arithmetic, or keeps it busy for years.
func TestOddRequestsEndNoPeer(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	stamp := func() *int64 {
		choices := []int64{0, 1, 1, 999_999, 5e9, 31e15}
		if i := random.IntN(len(choices) + 1); i < len(choices) {
			return &choices[i]
		}
		return nil
	}
	count := func() *int32 {
		choices := []int32{0, 1, 2, math.MaxInt32}
		if i := random.IntN(len(choices) + 1); i < len(choices) {
			return &choices[i]
		}
		return nil
	}
	for range 3000 {
		var rows []result.RequestRow
		for id := range random.IntN(4) {
			r := result.RequestRow{
				ID: int64(id), SentNS: stamp(), FirstByteNS: stamp(), FirstTokenNS: stamp(), LastTokenNS: stamp(), EndNS: stamp(),
				InputTokens: count(), OutputTokens: count(), ReasoningTokens: count(),
				Status: []string{"ok", "failed", "cut", "other"}[random.IntN(4)], FinishReason: []string{"length", ""}[random.IntN(2)],
			}
			for range random.IntN(4) {
				r.ChunkDeltaNS = append(r.ChunkDeltaNS, []int64{0, 1, -5, 7e9, 30e15}[random.IntN(5)])
				r.ChunkTokens = append(r.ChunkTokens, []int32{0, 1, 3}[random.IntN(3)])
			}
			rows = append(rows, r)
		}
		for _, p := range peers {
			list, _ := p.Figures(rows)
			Object(list)
		}
	}
}
