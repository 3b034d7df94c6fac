docker run --name first sandlot/starter echo hello
