mkdir -p "$HOME/hello" && cd "$HOME/hello" || exit 1
echo "<h1>Hello from seat $LAB_SEAT</h1>" > index.html
cat > Dockerfile <<'END'
FROM sandlot/starter
WORKDIR /srv
COPY index.html .
EXPOSE 8000
USER student
CMD ["httpd", "-f", "-v", "-p", "8000"]
END
docker build -t hello:1 .
