package app

import (
	"reflect"
	"testing"
)

func TestPairs(t *testing.T) {
	const debezium, confluent = "io.debezium.connector.jdbc.JdbcSinkConnector", "io.confluent.connect.jdbc.JdbcSinkConnector"
	rows := []struct {
		name   string
		config map[string]string
		want   []pair
	}{
		{"no topic with a table in it", map[string]string{"connector.class": debezium, "topics": "orders"}, nil},
		{"topics by pattern", map[string]string{"connector.class": debezium, "topics.regex": "cdc.*"}, nil},
		{"Debezium", map[string]string{"connector.class": debezium, "topics": "cdc.shop.orders, cdc.shop.users"}, []pair{{"shop", "orders", "cdc_shop_orders"}, {"shop", "users", "cdc_shop_users"}}},
		{"Debezium with a format", map[string]string{"connector.class": debezium, "topics": "shop.orders", "collection.name.format": "public.${topic}"}, []pair{{"shop", "orders", "public.shop_orders"}}},
		{"an older Debezium", map[string]string{"connector.class": debezium, "topics": "shop.orders", "table.name.format": "kafka_${topic}"}, []pair{{"shop", "orders", "kafka_shop_orders"}}},
		{"Confluent", map[string]string{"connector.class": confluent, "topics": "shop.orders"}, []pair{{"shop", "orders", "shop.orders"}}},
		{"one table", map[string]string{"connector.class": confluent, "topics": "shop.orders", "table.name.format": "cdc_orders"}, []pair{{"shop", "orders", "cdc_orders"}}},
		{"a router", map[string]string{"connector.class": debezium, "topics": "cdc.shop.orders", "transforms": "unwrap, route", "transforms.unwrap.type": "io.debezium.transforms.ExtractNewRecordState",
			"transforms.route.type": "org.apache.kafka.connect.transforms.RegexRouter", "transforms.route.regex": `([^.]+)\.([^.]+)\.([^.]+)`, "transforms.route.replacement": "cdc_$3"}, []pair{{"shop", "orders", "cdc_orders"}}},
		{"a router that does not fit", map[string]string{"connector.class": confluent, "topics": "shop.orders", "transforms": "r", "transforms.r.type": "org.apache.kafka.connect.transforms.RegexRouter", "transforms.r.regex": "x(.*", "transforms.r.replacement": "y"}, []pair{{"shop", "orders", "shop.orders"}}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			if got := pairs(row.config); !reflect.DeepEqual(got, row.want) {
				t.Errorf("got %+v, want %+v", got, row.want)
			}
		})
	}
}
