// Package planted says whether bugs may be planted. The guards of exactly-once are
// worth what the tests find when one is taken out, so each can be: by a switch in
// worker.Faults or task.Planted. A switch is read behind On only,
//
//	if planted.On && w.cfg.Faults.NoG2 {
//
// and On is a constant. It is true under the build tag planted, which the
// simulation and the hunts for planted bugs are built with. It is false in what is
// shipped: the compiler leaves the switch and what it does out.
package planted
