package windowing

// schedule says when which key has something to do. It is a heap in memory, made anew from the store whenever the
// operator is. It is lazy: a key whose work has moved on keeps its place until that time comes, and is then looked at
// and put back, so that a record which prolongs a session does not touch it.
//
// What always holds: a key with work to do has an entry at planned[key], which is not above the watermark at which the
// work is due. Entries of a key at other times are stale.
type schedule struct {
	entries []appointment
	planned map[string]EventTime
}

type appointment struct {
	at  EventTime
	key string
}

// plan sees to it that key is looked at when the watermark reaches at, or before.
func (s *schedule) plan(key []byte, at EventTime) {
	if planned, ok := s.planned[string(key)]; ok && planned <= at {
		return
	}
	s.put(string(key), at)
}

// put plans a key that next has taken, or that is planned for a later time.
func (s *schedule) put(key string, at EventTime) {
	if s.planned == nil {
		s.planned = make(map[string]EventTime)
	}
	s.planned[key] = at
	s.entries = append(s.entries, appointment{at, key})
	for i := len(s.entries) - 1; i > 0; {
		parent := (i - 1) / 2
		if s.entries[parent].at <= at {
			return
		}
		s.entries[i], s.entries[parent] = s.entries[parent], s.entries[i]
		i = parent
	}
}

// next takes the earliest key that is to be looked at at a watermark; false if there is none.
func (s *schedule) next(merged EventTime) (key string, ok bool) {
	for len(s.entries) > 0 && s.entries[0].at <= merged {
		a := s.pop()
		if at, ok := s.planned[a.key]; ok && at == a.at {
			delete(s.planned, a.key)
			return a.key, true
		}
	}
	return "", false
}

func (s *schedule) pop() appointment {
	first, last := s.entries[0], len(s.entries)-1
	s.entries[0], s.entries[last] = s.entries[last], appointment{}
	s.entries = s.entries[:last]
	for i := 0; ; {
		child := 2*i + 1
		if child >= last {
			return first
		}
		if child+1 < last && s.entries[child+1].at < s.entries[child].at {
			child++
		}
		if s.entries[i].at <= s.entries[child].at {
			return first
		}
		s.entries[i], s.entries[child] = s.entries[child], s.entries[i]
		i = child
	}
}

// due is a watermark below which nothing is to be done; MaxTime if nothing is planned.
func (s *schedule) due() EventTime {
	if len(s.entries) == 0 {
		return MaxTime
	}
	return s.entries[0].at
}
