#!/bin/sh
# Opens an article, posts an update and corrects it. Ingest is at $INGEST; $KEY is an API key.
set -eu

file() {
    curl -sS --fail-with-body "${INGEST:-http://127.0.0.1:8000}/v1/events" \
        -H "Authorization: Bearer $KEY" -H 'Content-Type: application/cloudevents+json' -d "$1"
    echo
}

file '{
  "specversion": "1.0", "id": "lead", "source": "/examples/curl",
  "type": "writethru.article.published", "subject": "market-fire",
  "data": {"headline": "Fire at the old market", "timezone": "Europe/London", "locale": "en-GB",
           "body": "The old market is on fire."}
}'

file '{
  "specversion": "1.0", "id": "update-1", "source": "/examples/curl",
  "type": "writethru.update.posted", "subject": "market-fire",
  "data": {"text": "Forty firefighters are there."}
}'

file '{
  "specversion": "1.0", "id": "correction-1", "source": "/examples/curl",
  "type": "writethru.update.corrected", "subject": "market-fire",
  "data": {"update_id": "update-1", "text": "Fifty firefighters are there.",
           "note": "An earlier version gave a wrong number."}
}'

# The same in the binary mode of CloudEvents: attributes in headers, data as the body.
curl -sS --fail-with-body "${INGEST:-http://127.0.0.1:8000}/v1/events" \
    -H "Authorization: Bearer $KEY" -H 'Content-Type: application/json' \
    -H 'ce-specversion: 1.0' -H 'ce-id: update-2' -H 'ce-source: /examples/curl' \
    -H 'ce-type: writethru.update.posted' -H 'ce-subject: market-fire' \
    -d '{"text": "Nobody is hurt."}'
echo
