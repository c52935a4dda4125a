package cdcbot.lab;

import java.util.Map;
import org.apache.kafka.common.config.ConfigDef;
import org.apache.kafka.connect.components.Versioned;
import org.apache.kafka.connect.connector.ConnectRecord;
import org.apache.kafka.connect.data.Field;
import org.apache.kafka.connect.data.Schema;
import org.apache.kafka.connect.data.SchemaBuilder;
import org.apache.kafka.connect.data.Struct;
import org.apache.kafka.connect.errors.DataException;
import org.apache.kafka.connect.transforms.Transformation;

/**
 * Makes a plain row of what Debezium's Cassandra source writes: an envelope whose "after" holds a cell for each column,
 * {value, deletion_ts, set}, and null for a column that the statement did not mention. Such a column is left out of the
 * row, so that a sink leaves its value alone; a cell without a value becomes null; a deleted row becomes a tombstone.
 * Flatten and ReplaceField, which come with Kafka, would write null over every column that an UPDATE does not mention, and
 * the envelope itself cannot be written as Avro: each of its cells is a record of the same name with another value type.
 */
public final class Cells<R extends ConnectRecord<R>> implements Transformation<R>, Versioned {
    @Override
    public R apply(R record) {
        if (!(record.value() instanceof Struct envelope) || envelope.schema().field("after") == null) {
            return record; // a tombstone, or not from Cassandra
        }
        return switch (envelope.getString("op")) {
            case "i", "u" -> with(record, row(envelope.getStruct("source"), envelope.getStruct("after")));
            case "d" -> with(record, null);
            default -> throw new DataException("the operation " + envelope.getString("op") + " of topic " + record.topic()
                + " (a range of rows was deleted) cannot be said about one row");
        };
    }

    private R with(R record, Struct row) {
        return record.newRecord(record.topic(), record.kafkaPartition(), record.keySchema(), record.key(),
            row == null ? null : row.schema(), row, record.timestamp());
    }

    private static Struct row(Struct source, Struct after) {
        SchemaBuilder schema = SchemaBuilder.struct().name(source.getString("keyspace") + "." + source.getString("table"));
        for (Field column : after.schema().fields()) {
            if (cell(after, column) != null) {
                schema.field(column.name(), column.schema().field("value").schema());
            }
        }
        Struct row = new Struct(schema.build());
        for (Field column : row.schema().fields()) {
            row.put(column, after.getStruct(column.name()).get("value"));
        }
        return row;
    }

    /** The column's cell; null when the statement did not mention it, or when it is no column. */
    private static Struct cell(Struct after, Field column) {
        boolean isCell = column.schema().type() == Schema.Type.STRUCT && column.schema().field("value") != null;
        return isCell ? after.getStruct(column.name()) : null;
    }

    @Override
    public ConfigDef config() {
        return new ConfigDef();
    }

    @Override
    public void configure(Map<String, ?> settings) {
    }

    @Override
    public void close() {
    }

    @Override
    public String version() {
        return "1";
    }
}
