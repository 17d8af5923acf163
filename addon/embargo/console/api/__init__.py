"""The JSON API, `/api/v1`: the same queries as the pages, for machines (`openapi` describes it)."""
