package diagnosis

// generic exceptions say nothing by their class alone.
var generic = []string{
	"java.lang.Exception", "java.lang.RuntimeException", "java.lang.Throwable", "java.lang.Error",
	"org.apache.kafka.connect.errors.ConnectException", "org.apache.kafka.common.KafkaException",
}

// carriers exist only to carry a cause over a thread or reflection boundary.
var carriers = []string{
	"java.util.concurrent.ExecutionException", "java.util.concurrent.CompletionException", "java.lang.reflect.InvocationTargetException",
	"java.lang.reflect.UndeclaredThrowableException", "java.security.PrivilegedActionException", "java.io.UncheckedIOException",
	"org.apache.kafka.connect.errors.ConnectException", "org.apache.kafka.connect.errors.RetriableException",
	"org.apache.kafka.connect.runtime.rest.errors.ConnectRestException",
}

// surfaces are messages of exceptions that are worth nothing beside their cause. Sources: the classes named.
var surfaces = []string{
	"tolerance exceeded in error handler",                            // connect RetryWithToleranceOperator
	"exiting workersinktask due to unrecoverable exception",          // connect WorkerSinkTask
	"unrecoverable exception from producer send callback",            // connect AbstractWorkerSourceTask
	"an exception occurred in the change event producer",             // debezium ErrorHandler
	"an exception ocurred in the change event producer",              // debezium up to 1.2, as it was spelled
	"error while processing event at offset",                         // debezium EventDispatcher
	"jdbc sink connector failure",                                    // debezium JdbcSinkConnectorTask
	"failed to check for existence of table",                         // debezium DefaultRecordWriter
	"failed to flush records for table",                              // debezium DefaultRecordWriter
	"error while checking and applying table changes for collection", // debezium JdbcChangeEventSink
	"failed to process a sink record",                                // debezium jdbc sink 2.x
	"couldn't start connector",                                       // debezium
	"failed to construct kafka",                                      // KafkaProducer, KafkaConsumer, KafkaAdminClient
	"failed to start connector",                                      // connect DistributedHerder
	"failed to create consumer", "failed to create producer",
	"error executing work", // hibernate
}

// runtimeFrames are frames of the Java runtime, which never say where it happened.
var runtimeFrames = []string{"java.", "java/", "jdk.", "sun.", "javax.", "com.sun."}

// wraps says whether a link with a cause below it only carries that cause.
func (l Link) wraps() bool {
	for _, c := range carriers {
		if l.Class == c {
			return true
		}
	}
	text := fold(l.Message)
	for _, s := range surfaces {
		if matchFolded(s, text) {
			return true
		}
	}
	return false
}
