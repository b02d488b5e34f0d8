package workload

// rng is splitmix64. It is spelled out here because its output is part of the
// data contract and must not change with a library.
type rng uint64

const golden = 0x9e3779b97f4a7c15

func mix64(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// newRNG returns the generator of one record: an unrelated starting point for
// every (seed, seq).
func newRNG(seed, seq uint64) rng {
	return rng(mix64(mix64(seed+golden) ^ mix64(seq*golden+1)))
}

func (r *rng) next() uint64 {
	*r += golden
	return mix64(uint64(*r))
}

// uint64n returns a value in [0, n). The modulo bias is below 2^-40 for the
// ranges used here.
func (r *rng) uint64n(n uint64) uint64 { return r.next() % n }

// float64 returns a value in [0, 1).
func (r *rng) float64() float64 { return float64(r.next()>>11) / (1 << 53) }
