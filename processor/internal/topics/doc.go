// Package topics sees to it that everything an application needs in Kafka is there
// before the first record, and knows afterwards what its topics take.
//
// # The check
//
// Check runs the steps of a start in this order, each of which may rely on those
// before:
//
//	awaitBroker           a broker answers, and says its transaction.version
//	readTopics            the topics of the user exist
//	provideRepartitions   repartition topics exist, upstream ones first
//	copartition           what is read together has one number of partitions
//	provideChangelogs     changelogs exist
//	readLimits            what sinks take is known
//
// The result is a Catalog. Leftovers are what an earlier life of the application
// has left in repartition topics; a worker deletes them before it joins its group.
//
// # What always holds
//
// Only internal topics are made, never one of the user's. Nothing in them is
// deleted by time or size: their records carry event times of any age. An internal
// topic with other settings is refused, or left as it is; it is never altered.
//
// A topic that was made anew under its old name is another topic: Catalog.Another
// tells them apart by their ids.
//
// # Who owns what
//
// A Catalog belongs to the worker that made it and may be read by any goroutine.
// What topics take changes while a worker runs (limits): the worker changes it, its
// tasks read it on the same goroutine, and the sizes of batches, which the clients'
// goroutines ask for, are atomic. There is no goroutine, channel or lock here.
package topics
