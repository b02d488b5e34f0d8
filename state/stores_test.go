package state

type opener struct{ s *Stores }

func (o opener) Stores() *Stores { return o.s }
