"""The job ``python -m demos broker``: a provider and its copiers, connected by an MQTT broker that it can start."""
