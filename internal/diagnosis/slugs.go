package diagnosis

// manner is what is known of a class of causes as such.
type manner struct {
	slug  Slug
	title string
	helps bool   // would a plain restart help, usually
	why   string // why it would, or would not
	next  string // the same in a few words, for the headline
}

var manners = []manner{
	{DatabaseConnection, "Database connection failure", true, "a failed task does not come back by itself, but it connects anew when it is restarted and the database answers", "a restart helps once it answers"},
	{Authentication, "Authentication or authorization failure", false, "the same login would be refused again: credentials or privileges have to be mended first", "a restart cannot help before that is mended"},
	{SchemaRegistry, "Schema registry unavailable", true, "a failed task does not come back by itself, but it asks the registry anew when it is restarted", "a restart helps once it answers"},
	{TableSchemaMismatch, "Table schema mismatch", false, "the same records would meet the same table: the table has to be altered, or the connector allowed to do it, first", "a restart cannot help before that is mended"},
	{ToleranceExceeded, "Bad record: error tolerance exceeded", false, "the same record would be read again: it has to be mended, skipped or sent to a dead letter queue first", "a restart would meet the same record"},
	{WorkerFailure, "Kafka Connect worker failure", true, "a restart puts the task onto a worker anew", "a restart can help"},
	{KafkaBroker, "Kafka broker trouble", true, "a restarted task joins Kafka anew once the brokers answer", "a restart helps once the brokers answer"},
	{SourcePositionLost, "Source position lost", false, "the position stays lost: a new snapshot or a new offset is needed", "a restart cannot bring it back"},
	{ConfigError, "Configuration error", false, "the same configuration would be refused again", "a restart cannot help before that is mended"},
	{Unknown, "Unknown", true, "the cause is not known: a restart is a safe first try, and tells more if it fails again", "cause not known, read the trace"},
	{None, "Healthy", false, "nothing has failed", ""},
}

func mannerOf(slug Slug) manner {
	for _, m := range manners {
		if m.slug == slug {
			return m
		}
	}
	return manner{slug: slug, title: string(slug)}
}
