"""The manual of ingest: examples that hold, problems explained, OpenAPI and AsyncAPI documents."""
