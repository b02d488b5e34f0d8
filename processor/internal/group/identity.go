package group

// An Identity is who a worker is in its group at one moment. A commit is
// fenced by member and generation; Losses counts how often the group client
// gave everything up, so that a task can tell that it was lost in between.
type Identity struct {
	Member     string
	Generation int32
	Losses     uint64
}

// Owns reports whether what was assigned under o is still owned by i: the same member
// without a loss since. The generation moves with every rebalance and does not
// matter.
func (i Identity) Owns(o Identity) bool { return i.Member == o.Member && i.Losses == o.Losses }
