package diagnosis

// published are words and codes from the lists of errors that programs publish themselves. They are as good as rows of
// rules: whoever uses them means one thing. Each has its message, with its source, in testdata/messages/published.jsonl.
var published = []group{
	// PostgreSQL: ereport texts of its source, by what its errcodes class them as (22, 23, 42: the statement and its values; 28 and
	// 42501: rights; 08, 53, 57, 58: the server); PgBouncer.
	{slug: TableSchemaMismatch, weight: .85, said: what, messages: []string{
		"more expressions than target columns", "more target columns than expressions", "integer out of range",
		"bigint out of range", "smallint out of range", "is out of range for type", "operator does not exist",
		"type \"*\" does not exist", "error: function * does not exist", "sequence \"*\" does not exist",
		"cached plan must not change result type", "non-default value into column", "cannot insert into column",
		"cannot insert into view", "no partition of relation", "specified more than once", "cannot cast type",
		"could not determine data type", "row is too big", "index row * exceeds", "syntax error at or near",
		"tables can have at most", "column reference * is ambiguous", "bit string length",
		"column is of type * but expression",
	}},
	{slug: ToleranceExceeded, weight: .85, said: what, messages: []string{
		"cannot affect row a second time", "division by zero", "unsupported unicode escape sequence", "exclusion constraint", "has no equivalent in encoding",
	}},
	{slug: Authentication, weight: .85, said: what, messages: []string{
		"row-level security policy",
	}},
	{slug: DatabaseConnection, weight: .85, said: what, messages: []string{
		"out of shared memory", "restart transaction", "no more connections allowed", "query_wait_timeout", "server_login_retry",
		"prepared statement * does not exist", "prepared statement * already exists", "could not receive data",
		"server closed the connection", "could not write block", "could not read block", "invalid page in block",
		"could not open file \"base", "temp_file_limit", "wraparound data loss", "concurrently updated",
		"crash of another server process", "not accepting connections", "cannot assign transactionids",
	}},
	{slug: ConfigError, weight: .85, retry: futile, said: what, messages: []string{
		"invalid value for parameter", "unrecognized configuration parameter", "replica identity",
	}},

	// MySQL and MariaDB: the server error reference.
	{slug: TableSchemaMismatch, weight: .85, said: what, messages: []string{
		"doesn't have a default value", "incorrect string value", "incorrect integer value", "incorrect datetime value",
		"incorrect decimal value", "without a key length", "specified key was too long", "too many columns",
		"illegal mix of collations", "duplicate column name", "you have an error in your sql syntax",
		"table has no partition for value",
	}},
	{slug: Authentication, weight: .85, said: what, messages: []string{
		"is not allowed to connect to this", "your password has expired", "privilege(s) for this operation", "is not known on the database server",
	}},
	{slug: DatabaseConnection, weight: .85, said: what, messages: []string{
		"the table * is full", "from storage engine", "information schema is changed", "tikv server", "region is unavailable", "query execution was interrupted", "server shutdown in progress", "max streams",
		"max_user_connections",
	}},
	{slug: ConfigError, weight: .85, retry: futile, said: what, messages: []string{
		"server time zone value", "unknown database '",
	}},

	// SQL Server: sys.messages.
	{slug: TableSchemaMismatch, weight: .85, said: what, messages: []string{
		"conversion failed when converting", "error converting data type", "explicit value for identity column",
		"explicit value into a timestamp column", "operand type clash", "incorrect syntax near",
		"greater than the allowable maximum row size",
	}},
	{slug: Authentication, weight: .85, said: what, messages: []string{
		"permission was denied", "is not able to access the database",
	}},
	{slug: DatabaseConnection, weight: .85, said: what, messages: []string{
		"transaction log for database", "could not allocate space", "reached its size quota", "database * cannot be opened",
		"is being recovered", "database * is in transition", "insufficient system memory",
	}},
	{slug: ConfigError, weight: .85, retry: futile, said: what, messages: []string{
		"invalid object name 'cdc.", "sql server agent",
	}},

	// Oracle: codes, many by their first digits, which are one subject in the error reference.
	{slug: TableSchemaMismatch, weight: .85, said: what, messages: []string{
		"ora-009", "ora-014", "ora-01722", "ora-0183", "ora-0184", "ora-0186", "ora-02289", "ora-32795",
	}},
	{slug: ToleranceExceeded, weight: .85, said: what, messages: []string{
		"ora-0229",
	}},
	{slug: Authentication, weight: .85, said: what, messages: []string{
		"ora-01005", "ora-280", "ora-01950",
	}},
	{slug: DatabaseConnection, weight: .85, said: what, messages: []string{
		"ora-00018", "ora-00020", "ora-00028", "ora-00054", "ora-00257", "ora-00600", "ora-01000", "ora-01012", "ora-01033", "ora-01034",
		"ora-0109", "ora-01109", "ora-01536", "ora-0165", "ora-0168", "ora-02391", "ora-02396", "ora-0403", "ora-08177",
		"ora-121", "ora-125", "ora-16000", "ora-17410", "no more data to read from socket",
		"network adapter could not establish", "ora-30036",
	}},
	{slug: ConfigError, weight: .85, retry: futile, said: what, messages: []string{
		"ora-65", "ora-01325", "ora-00439",
	}},
	{slug: SourcePositionLost, weight: .85, said: what, messages: []string{
		"ora-00308", "ora-01284", "ora-01289",
	}},

	// Any JDBC driver, and Hibernate above it: the subclasses of java.sql.SQLException, by what its documentation says of each.
	{slug: TableSchemaMismatch, weight: .6, said: what, classes: []string{"java.sql.sqldataexception", "org.hibernate.exception.dataexception"}},
	{slug: ToleranceExceeded, weight: .6, said: what, classes: []string{"org.hibernate.exception.constraintviolationexception"}},
	{slug: DatabaseConnection, weight: .6, said: what, classes: []string{
		"sqltransactionrollbackexception", "org.hibernate.exception.lockacquisitionexception",
	}},
	{slug: Authentication, weight: .8, said: what, classes: []string{"invalidauthorizationspecexception"}},

	// Db2: SQLCODE as its driver prints it.
	{slug: TableSchemaMismatch, weight: .85, said: what, messages: []string{
		"sqlcode=-204", "sqlcode=-206", "sqlcode=-302", "sqlcode=-407",
	}},
	{slug: ToleranceExceeded, weight: .85, said: what, messages: []string{
		"sqlcode=-803",
	}},
	{slug: Authentication, weight: .85, said: what, messages: []string{
		"sqlcode=-55", "sqlcode=-30082",
	}},
	{slug: DatabaseConnection, weight: .85, said: what, messages: []string{
		"sqlcode=-911", "sqlcode=-904", "errorcode=-4499",
	}},

	// MongoDB: names of error_codes.yml.
	{slug: TableSchemaMismatch, weight: .85, said: what, messages: []string{
		"documentvalidationfailure",
	}},
	{slug: DatabaseConnection, weight: .85, said: what, messages: []string{
		"interrupteddueto", "maxtimemsexpired", "exceeded time limit",
	}},
	{slug: ConfigError, weight: .85, retry: futile, said: what, messages: []string{
		"transaction numbers are only allowed",
	}},
	{slug: SourcePositionLost, weight: .85, said: what, messages: []string{
		"invalidresumetoken", "cappedpositionlost",
	}},

	// Warehouses and stores.
	{slug: TableSchemaMismatch, weight: .85, said: what, messages: []string{
		"sql compilation error", "have types incompatible", "cast error from protocol type", "cannot find field", "cannot change column type", "invalid keyspace",
	}},
	{slug: Authentication, weight: .85, said: what, messages: []string{
		"sql access control error", "invalid private key",
	}},
	{slug: DatabaseConnection, weight: .85, said: what, messages: []string{
		"no active warehouse selected", "mqrc_q_full", "mqrc_host_not_available", "mqrc_q_mgr_quiescing", "mqrc_q_mgr_not_available", "mqrc_connection_broken", "statement timeout", "resource monitor", "throughput", "safe mode", "is not supported in state standby",
		"connection is already closed", "failed connecting to", "deadline exceeded",
	}},
	{slug: ConfigError, weight: .85, retry: futile, said: what, messages: []string{
		"incorrect index, ", "failed to resolve endpoint", "mqrc_q_mgr_name_error", "mqrc_unknown_object_name",
	}},

	// Debezium and other connectors.
	{slug: TableSchemaMismatch, weight: .85, said: what, messages: []string{
		"columns count mismatch", "timestamp column: * does not exist",
	}},
	{slug: ConfigError, weight: .85, retry: futile, said: what, messages: []string{
		"obtain valid replication slot", "not have cdc enabled", "full row-level binlog", "invalid mode: ",
	}},
	{slug: SourcePositionLost, weight: .85, said: what, messages: []string{
		"history couldn't be recovered", "too far in the past",
	}},

	// Kafka: the exceptions of the protocol (Errors.java) that others do not name, and Connect itself.
	{slug: ToleranceExceeded, weight: .9, said: what, classes: []string{
		"org.apache.kafka.common.errors.recordbatchtoolargeexception",
		"org.apache.kafka.common.errors.invalidtimestampexception",
		"org.apache.kafka.common.errors.unsupportedformessageformatexception",
		"org.apache.kafka.common.errors.recorddeserializationexception",
	}},
	{slug: Authentication, weight: .9, said: what, classes: []string{
		"org.apache.kafka.common.errors.securitydisabledexception",
		"org.apache.kafka.common.errors.unsupportedsaslmechanismexception",
		"org.apache.kafka.common.errors.delegationtokenexpiredexception",
		"org.apache.kafka.common.errors.delegationtokennotfoundexception",
		"org.apache.kafka.common.errors.delegationtokenauthorizationexception",
	}},
	{slug: ConfigError, weight: .9, retry: futile, said: what, messages: []string{
		"cleanup.policy", "both the connector and dead letter queue",
	}, classes: []string{
		"org.apache.kafka.common.errors.invalidgroupidexception",
		"org.apache.kafka.common.errors.invalidsessiontimeoutexception",
		"org.apache.kafka.common.errors.invalidrequiredacksexception",
		"org.apache.kafka.common.errors.invalidtxntimeoutexception",
		"org.apache.kafka.common.errors.unsupportedcompressiontypeexception",
	}},
	{slug: WorkerFailure, weight: .9, retry: helps, said: what, messages: []string{
		"cannot allocate memory", "herder request timed out", "not safe for multi-threaded access", "not subscribed to any topics or assigned",
	}, classes: []string{
		"org.apache.kafka.common.errors.fencedmemberepochexception",
		"org.apache.kafka.common.errors.inconsistentgroupprotocolexception",
		"org.apache.kafka.common.errors.stalememberepochexception",
		"org.apache.kafka.common.errors.unreleasedinstanceidexception", "org.apache.kafka.common.errors.interruptexception",
	}},
	{slug: KafkaBroker, weight: .9, said: what, messages: []string{
		"checking for or creating topic",
	}, classes: []string{
		"org.apache.kafka.common.errors.replicanotavailableexception",
		"org.apache.kafka.common.errors.coordinatorloadinprogressexception",
		"org.apache.kafka.common.errors.notcoordinatorexception",
		"org.apache.kafka.common.errors.invalidpartitionsexception",
		"org.apache.kafka.common.errors.invalidreplicaassignmentexception",
		"org.apache.kafka.common.errors.notcontrollerexception", "org.apache.kafka.common.errors.policyviolationexception",
		"org.apache.kafka.common.errors.outofordersequenceexception",
		"org.apache.kafka.common.errors.duplicatesequenceexception",
		"org.apache.kafka.common.errors.invalidproducerepochexception",
		"org.apache.kafka.common.errors.invalidtxnstateexception",
		"org.apache.kafka.common.errors.invalidpidmappingexception",
		"org.apache.kafka.common.errors.concurrenttransactionsexception",
		"org.apache.kafka.common.errors.transactioncoordinatorfencedexception",
		"org.apache.kafka.common.errors.unknownproduceridexception",
		"org.apache.kafka.common.errors.listenernotfoundexception",
		"org.apache.kafka.common.errors.fencedleaderepochexception",
		"org.apache.kafka.common.errors.unknownleaderepochexception",
		"org.apache.kafka.common.errors.offsetnotavailableexception",
		"org.apache.kafka.common.errors.groupmaxsizereachedexception",
		"org.apache.kafka.common.errors.eligibleleadersnotavailableexception",
		"org.apache.kafka.common.errors.throttlingquotaexceededexception",
		"org.apache.kafka.common.errors.unknowntopicidexception",
		"org.apache.kafka.common.errors.inconsistentclusteridexception",
		"org.apache.kafka.common.errors.transactionabortedexception",
		"org.apache.kafka.common.errors.bufferexhaustedexception",
		"org.apache.kafka.common.errors.unstableoffsetcommitexception",
		"org.apache.kafka.common.errors.kafkastorageexception",
	}},
}
