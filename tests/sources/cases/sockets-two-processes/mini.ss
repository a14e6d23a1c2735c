LISTEN 0 1 127.0.0.1:443 0.0.0.0:* users:(("caddy",pid=1,fd=1))
LISTEN 0 1 100.64.0.10:443 0.0.0.0:* users:(("tailscaled",pid=2,fd=1))
